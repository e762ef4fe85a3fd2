"""``gossipd template``: renders once, or again whenever something changed."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

from gossipd.client.connection import DaemonUnreachable
from gossipd.client.link import NoAnswer
from gossipd.errors import UsageError
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import SOCKET_OPTIONS, Argument, Command, Option
from gossipd_cli.services.following import RETRY_SECONDS, RETRY_SECONDS_MAX
from gossipd_cli.services.known import RETURN_SECONDS
from gossipd_cli.templating.target import NotWritten, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossipd.client.blocking import Client
    from gossipd_cli.templating.engine import Template
    from gossipd_cli.templating.source import Interest

QUIET_SECONDS = 0.2
LATEST_SECONDS = 2.0


class Pacing:
    """When to render: after a moment of quiet, but not too long after the first change."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last = 0.0
        self._not_before = 0.0

    def note(self, now: float) -> None:
        """Note that something changed."""
        self._first = now if self._first is None else self._first
        self._last = now

    def hold(self, until: float) -> None:
        """Render nothing before ``until``: the daemon does not know everything yet."""
        self._not_before = until

    def done(self) -> None:
        """Note that it was rendered."""
        self._first = None

    def due(self) -> float | None:
        """Return when to render; ``None`` while nothing changed."""
        if self._first is None:
            return None
        return max(self._not_before, min(self._last + QUIET_SECONDS, self._first + LATEST_SECONDS))


def _run(values: Mapping[str, Any]) -> int:
    from gossipd_cli.templating.engine import Template

    template = Template(values["file"])
    target = Target(values["out"] or "", values["check"] or "", values["exec"] or "")
    if values["watch"]:
        return _follow(values, template, target)
    from gossipd_cli.templating.source import DaemonSource

    with connect(values) as client:
        text, asked = template.render(DaemonSource(client))
    target.tell_hidden(asked.hidden)
    target.put(text)
    return exits.DONE


def _follow(values: Mapping[str, Any], template: Template, target: Target) -> int:
    """Render until Ctrl-C or SIGTERM; the daemon may come and go."""
    from gossipd_cli.templating.source import Interest

    signal.signal(signal.SIGTERM, _interrupt)  # so that no half-written file is left behind
    pacing = Pacing()
    pause, was_there, is_told = RETRY_SECONDS, False, False
    try:
        while True:
            try:
                with connect(values) as client:
                    pause, is_told = RETRY_SECONDS, False
                    if was_there:
                        pacing.hold(time.monotonic() + RETURN_SECONDS)
                    was_there = True
                    _serve(client, Interest(client), template, target, pacing)
            except (DaemonUnreachable, NoAnswer) as error:
                if not is_told:
                    exits.complain(f"{error}; trying again")
                is_told = True
            time.sleep(pause)
            pause = min(2 * pause, RETRY_SECONDS_MAX)
    except KeyboardInterrupt:
        return exits.DONE


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _serve(
    client: Client, interest: Interest, template: Template, target: Target, pacing: Pacing
) -> None:
    """Render as long as the daemon is there, the first time when ``pacing`` lets us.

    Raises:
        DaemonUnreachable: the daemon is gone.
    """
    pacing.note(time.monotonic() - QUIET_SECONDS)
    while True:
        due = pacing.due()
        now = time.monotonic()
        if due is not None and due <= now:
            pacing.done()
            if _render(client, interest, template, target):
                pacing.note(time.monotonic())
        elif interest.wait(None if due is None else due - now):
            pacing.note(time.monotonic())


def _render(client: Client, interest: Interest, template: Template, target: Target) -> bool:
    """Render once; return whether it has to be done again.

    What fails is told, and the old output stays: the next change may mend it.
    """
    from gossipd_cli.templating.engine import Asked, TemplateError
    from gossipd_cli.templating.source import DaemonSource

    source, asked = DaemonSource(client), Asked()
    text = None
    try:
        text, _ = template.render(source, asked)
    except TemplateError as error:
        exits.complain(str(error))
    # also after a failure: what was asked for up to there may mend it
    is_late = interest.become(asked, source)
    target.tell_hidden(asked.hidden)
    if text is not None:
        try:
            target.put(text)
        except (NotWritten, UsageError) as error:
            exits.complain(str(error))
    return is_late


TEMPLATE = Command(
    "template",
    _run,
    help="""Render the Jinja template FILE with what this daemon knows.

    Templates see services(), service(NAME), members(), node and env; see
    docs/templates.md. With --watch it goes on, and renders when something
    changed. Nothing is written when nothing changed, and the old output is kept
    when rendering or the check fails.
    """,
    options=(
        Option("--out", help="Write to FILE (default: standard output).", metavar="FILE"),
        Option("--watch", help="Go on, and render on each change.", kind="flag"),
        Option(
            "--check",
            help="Command that must succeed first; {} is the new file's path.",
            metavar="CMD",
        ),
        Option("--exec", help="Command to run when the output changed.", metavar="CMD"),
        *SOCKET_OPTIONS,
    ),
    argument=Argument("file", "FILE"),
)
