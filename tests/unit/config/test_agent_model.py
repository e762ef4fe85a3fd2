"""Settings of the daemon around the node: what cannot work is refused by its key."""

from __future__ import annotations

import pytest

from gossipd.config.agent_model import SYSLOG_FACILITIES, AgentConfig, check_agent_config
from gossipd.config.model import NodeConfig
from gossipd.errors import ConfigError


def config(**settings: object) -> AgentConfig:
    return AgentConfig(node=NodeConfig(name="a"), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"handler_timeout": 0.0}, "handler_timeout is 0: it must be above 0"),
        ({"coalesce_period": -1.0}, "coalesce_period is -1: it must be above 0"),
        ({"quiescent_period": float("nan")}, "quiescent_period is nan: it must be above 0"),
        ({"handlers_max": 0}, "handlers_max is 0: it must be within 1..1024"),
        ({"handlers_max": 1025}, "handlers_max is 1025: it must be within 1..1024"),
        (
            {"event_handlers": ("ok.sh", "member-foo=x.sh")},
            "Invalid event script: Event 'member-foo' invoking 'x.sh'",
        ),
        ({"early_warning": "yes"}, "early_warning is 'yes': it must be one of auto, on, off"),
        ({"log_format": "xml"}, "log_format is 'xml': it must be one of text, json"),
        ({"syslog_facility": "local8"}, "syslog_facility is 'local8': it must be one of KERN,"),
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_agent_config(config(**settings))
    assert str(caught.value).startswith(complaint)


def test_defaults_and_facilities_in_any_case_are_accepted() -> None:
    check_agent_config(config())
    check_agent_config(config(syslog_facility="local7", log_format="json"))
    assert SYSLOG_FACILITIES["LOCAL0"] == 16
    assert SYSLOG_FACILITIES["LOCAL7"] == 23
    assert SYSLOG_FACILITIES["DAEMON"] == 3
    assert SYSLOG_FACILITIES["FTP"] == 11
