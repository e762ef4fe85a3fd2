"""What the application of a simulated host has its node do, as commands for ``Host.command``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from gossipd.errors import Unavailable, UsageError
from gossipd.node.node import Node
from gossipd.serf.question import Question
from gossipd_sim.joiner import Command


def send_event(name: str, tags: Mapping[str, str]) -> Command:
    """Send a user event without payload to those with ``tags`` (RE2)."""
    return lambda node, now: node.send_event(name, None, now, tags=tags)


def ask(question: Question) -> Command:
    """Ask the cluster; while too many questions are open the application goes without."""

    def put(node: Node, now: float) -> None:
        with suppress(Unavailable):
            node.ask(question, now)

    return put


def answer(number: int, payload: bytes) -> Command:
    """Answer a query; a slow host may get to it when it is too late, and does not."""

    def respond(node: Node, now: float) -> None:
        with suppress(UsageError):
            node.respond(number, payload, now)

    return respond
