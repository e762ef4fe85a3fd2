"""What the log says of services, as text and as fields."""

from __future__ import annotations

from typing import Any

import pytest

from gossipd.agent.log.fields import fields_of_event
from gossipd.agent.log.lines import is_provoked, level_of
from gossipd.catalog.events import (
    CheckChanged,
    GuardChanged,
    OwnServicesChanged,
    RecordIgnored,
    ServiceChanged,
    ServiceEnded,
)
from support.logs import line_of


@pytest.mark.parametrize(
    ("event", "line", "fields"),
    [
        (
            CheckChanged("c", "web", "passing", "critical", "GET x: 500 Oops\nno\tway"),
            "[WARN] agent: check 'c' of service 'web' is critical, was passing:"
            " GET x: 500 Oops no way",
            {"event": "check-changed", "check": "c", "service": "web", "before": "passing",
             "after": "critical", "output": "GET x: 500 Oops\nno\tway"},
        ),
        (
            CheckChanged("disk", "", "critical", "passing", ""),
            "[INFO] agent: check 'disk' of this node is passing, was critical",
            {"event": "check-changed", "check": "disk", "service": "", "before": "critical",
             "after": "passing", "output": ""},
        ),
        (
            ServiceEnded("web", "check c was critical for 60 s"),
            "[WARN] agent: service 'web' is deregistered: check c was critical for 60 s",
            {"event": "service-ended", "service": "web",
             "reason": "check c was critical for 60 s"},
        ),
        (
            ServiceEnded("web", "drained"),
            "[INFO] agent: service 'web' is deregistered: drained",
            {"event": "service-ended", "service": "web", "reason": "drained"},
        ),
        (
            GuardChanged("web", True, 6, 9),
            "[WARN] catalog: 6 of 9 instances of 'web' are on nodes that failed together:"
            " they are kept and shown as doubtful",
            {"event": "guard", "service": "web", "holds": True, "lost": 6, "total": 9},
        ),
        (
            GuardChanged("web", False, 1, 9),
            "[INFO] catalog: instances of 'web' are trusted again:"
            " 1 of 9 are on nodes that failed",
            {"event": "guard", "service": "web", "holds": False, "lost": 1, "total": 9},
        ),
        (
            RecordIgnored("bad-version", "n1", "2^60"),
            "[DEBUG] catalog: Ignored records of n1: bad-version 2^60",
            {"event": "record-ignored", "owner": "n1", "reason": "bad-version",
             "detail": "2^60"},
        ),
    ],
)  # fmt: skip
def test_events_about_services_are_told(event: Any, line: str, fields: dict[str, object]) -> None:
    assert line_of(event) == line
    assert fields_of_event(event, "us", 0.0, None) == fields


def test_what_changes_all_the_time_gets_no_line_and_what_peers_provoke_is_withheld() -> None:
    silent: tuple[Any, ...] = (ServiceChanged("web", 1), OwnServicesChanged())
    assert [level_of(event) for event in silent] == [None, None]
    assert is_provoked(RecordIgnored)
    assert not is_provoked(CheckChanged)


def test_a_long_output_and_one_that_would_forge_a_line_are_cut_and_escaped() -> None:
    event: Any = CheckChanged("c", "web", "passing", "warning", "x\n[ERR] y \x1b[2J" + "z" * 4000)
    line = line_of(event)
    assert len(line) < 320
    assert "\n" not in line
    assert "\x1b" not in line
