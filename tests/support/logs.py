"""Logbooks for tests, whose lines are kept, and what the lines are about."""

from __future__ import annotations

import re

from gossipd.address import Address
from gossipd.agent.log.logbook import Logbook
from gossipd.agent.log.style import style_of
from gossipd.node.events import NodeEvent
from gossipd.serf.events import SerfMember
from gossipd.swim.member import Member, MemberState
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus

ADDRESS = Address(bytes([10, 0, 0, 4]), 7946)
ELSEWHERE = Address(bytes([10, 0, 0, 9]), 7946)
MEMBER = Member("web", ADDRESS, b"", Versions(), MemberState.ALIVE, 3, 0.0)
SERF_MEMBER = SerfMember("web", ADDRESS, {}, MemberStatus.ALIVE, Versions(), 1)


class Lines:
    """An output that keeps what it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, text: str) -> None:
        self.texts.append(text)

    def has(self, part: str) -> bool:
        return any(part in text for text in self.texts)

    def count(self, part: str) -> int:
        return sum(part in text for text in self.texts)

    def of_level(self, level: str) -> list[str]:
        return [text for text in self.texts if f"[{level}]" in text]


def make_log(level: str = "INFO") -> tuple[Logbook, Lines]:
    lines = Lines()
    log = Logbook("us", level, lines)
    log.release()
    return log, lines


def json_log(us: str = "us") -> tuple[Logbook, Lines]:
    lines = Lines()
    log = Logbook(us, "DEBUG", lines, style_of("json", for_journal=False))
    log.release()
    return log, lines


def line_of(event: NodeEvent) -> str:
    log, lines = make_log("TRACE")
    log.event(event, 100.0)
    return re.sub(r"^    \d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", "", lines.texts[0])
