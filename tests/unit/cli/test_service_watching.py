"""What a watcher is told: each difference once, over losses and restarts of the daemon."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from gossipd.services.instance import (
    CHANGED,
    DOWN,
    UP,
    Instance,
    ServiceChange,
    ServiceReset,
    ServiceView,
)
from gossipd.value import replace
from gossipd_cli.services.known import Known, newest_of_each
from support.template_source import make_instance

A, B = make_instance(owner="a"), make_instance(owner="b")


def reset(*instances: Instance, index: int = 1) -> ServiceReset:
    return ServiceReset(view=ServiceView(name="web", index=index, instances=instances))


def change(kind: str, instance: Instance, index: int = 2) -> ServiceChange:
    return ServiceChange(index=index, kind=kind, instance=instance)


def told(changes: list[ServiceChange]) -> list[tuple[str, str]]:
    return [(one.kind, one.instance.owner) for one in changes]


def test_a_set_is_told_as_its_differences() -> None:
    known = Known()
    assert told(known.take(reset(A, B), 0.0)) == [(UP, "a"), (UP, "b")]
    assert known.take(reset(A, B), 0.0) == []
    critical = replace(A, status="critical")
    assert told(known.take(reset(critical, index=7), 0.0)) == [(CHANGED, "a"), (DOWN, "b")]
    assert known.index == 7


def test_how_and_when_something_was_heard_is_no_change() -> None:
    known = Known()
    known.take(reset(A), 0.0)
    again = replace(A, learned_at=9.0, version=9, epoch=9)
    assert known.take(change(CHANGED, again), 0.0) == []
    suspected = replace(A, suspected_at=1.0)
    assert told(known.take(change(CHANGED, suspected), 0.0)) == [(CHANGED, "a")]
    assert known.take(change(CHANGED, replace(suspected, suspected_at=2.0)), 0.0) == []


def test_what_is_no_longer_wanted_is_down() -> None:
    known = Known(lambda instance: instance.is_usable)
    assert told(known.take(reset(A), 0.0)) == [(UP, "a")]
    critical = replace(A, status="critical")
    assert told(known.take(change(CHANGED, critical), 0.0)) == [(DOWN, "a")]
    assert known.take(change(DOWN, critical), 0.0) == []
    assert told(known.take(change(CHANGED, A), 0.0)) == [(UP, "a")]
    assert known.take(change(UP, replace(B, status="warning")), 0.0) == []


def test_what_a_restarted_daemon_has_not_found_yet_is_not_gone() -> None:
    known = Known()
    known.take(reset(A, B), 0.0)
    assert known.take(reset(index=50), 10.0, patience=5.0) == []
    assert known.next_deadline() == 15.0
    assert known.take(change(UP, A, 51), 11.0) == []
    assert known.overdue(14.9) == []
    assert told(known.overdue(15.0)) == [(DOWN, "b")]
    assert known.next_deadline() is None
    assert list(known.instances) == [A.key]


def test_of_an_instance_only_the_last_change_is_left() -> None:
    changes = [change(UP, A), change(UP, B), change(DOWN, A)]
    assert told(newest_of_each(changes)) == [(UP, "b"), (DOWN, "a")]


@st.composite
def records(draw: st.DrawFn) -> list[ServiceReset | ServiceChange]:
    made: list[ServiceReset | ServiceChange] = []
    owners = st.sampled_from(string.ascii_lowercase[:4])
    statuses = st.sampled_from(["passing", "critical"])
    for index in range(draw(st.integers(0, 12))):
        if draw(st.booleans()):
            names = draw(st.lists(owners, unique=True))
            instances = [make_instance(owner=name, status=draw(statuses)) for name in names]
            made.append(reset(*instances, index=index))
        else:
            instance = make_instance(owner=draw(owners), status=draw(statuses))
            made.append(change(draw(st.sampled_from([UP, CHANGED, DOWN])), instance, index))
    return made


@given(records(), st.booleans())
def test_a_reader_of_the_changes_knows_the_same_set(
    told_by_daemon: list[ServiceReset | ServiceChange], only_usable: bool
) -> None:
    known = Known((lambda one: one.is_usable) if only_usable else (lambda _: True))
    truth: dict[tuple[str, str], Instance] = {}
    reader: dict[tuple[str, str], str] = {}
    for record in told_by_daemon:
        if isinstance(record, ServiceReset):
            truth = {one.key: one for one in record.view.instances}
        elif record.kind == DOWN:
            truth.pop(record.instance.key, None)
        else:
            truth[record.instance.key] = record.instance
        for one in known.take(record, 0.0):
            if one.kind == DOWN:
                del reader[one.instance.key]
            else:
                assert (one.kind == UP) == (one.instance.key not in reader)
                assert reader.get(one.instance.key) != one.instance.status
                reader[one.instance.key] = one.instance.status
        wanted = {key: one for key, one in truth.items() if one.is_usable or not only_usable}
        assert reader == {key: one.status for key, one in wanted.items()}
