"""How the demo is shown: a live table on a terminal, plain lines elsewhere, or JSON lines."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

    from gossipd.query.records import MemberRecord

COLOURS = {"alive": "green", "failed": "red", "left": "yellow", "leaving": "yellow"}
LINES_SHOWN = 14


class Stage(Protocol):
    """Where the demo tells what happens; entered before the first line."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End; what was told stays on the screen."""

    def tell(self, text: str) -> None:
        """Show one happening."""

    def show(self, members: list[MemberRecord]) -> None:
        """Show what the first daemon sees now."""

    def conclude(self, seen: dict[str, float], missing: list[str]) -> None:
        """Show the summary: what was seen after how many seconds, and what was not."""


class PlainStage:
    """One line for each happening, with the seconds since the start."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stdout
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._out.flush()

    def tell(self, text: str) -> None:
        """Print the happening."""
        print(self._stamped(text), file=self._out, flush=True)

    def show(self, members: list[MemberRecord]) -> None:
        """Say nothing: changes are told one by one."""

    def conclude(self, seen: dict[str, float], missing: list[str]) -> None:
        """Print the summary line."""
        print(summary(seen, missing), file=self._out, flush=True)

    def _stamped(self, text: str) -> str:
        return f"{time.monotonic() - self._started:5.1f} s  {text}"


class JsonStage(PlainStage):
    """One JSON object a line; the last one is the summary."""

    def tell(self, text: str) -> None:
        """Print the happening as an object."""
        self._print({"at": round(time.monotonic() - self._started, 3), "text": text})

    def conclude(self, seen: dict[str, float], missing: list[str]) -> None:
        """Print the summary as an object."""
        rounded = {what: round(seconds, 3) for what, seconds in seen.items()}
        self._print({"ok": not missing, "seen": rounded, "missing": missing})

    def _print(self, value: dict[str, object]) -> None:
        print(json.dumps(value, ensure_ascii=False), file=self._out, flush=True)


class LiveStage(PlainStage):
    """A table of the members that is kept current, the last happenings below it."""

    def __init__(self, viewer: str) -> None:
        super().__init__()
        self._viewer = viewer
        self._lines: list[str] = []
        self._members: list[MemberRecord] = []
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(self._picture(), refresh_per_second=8)
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)
            self._live.stop()
            self._live = None

    def tell(self, text: str) -> None:
        """Add the happening below the table."""
        self._lines = [*self._lines, self._stamped(text)][-LINES_SHOWN:]
        self._refresh()

    def show(self, members: list[MemberRecord]) -> None:
        """Put the members into the table."""
        self._members = members
        self._refresh()

    def conclude(self, seen: dict[str, float], missing: list[str]) -> None:
        """Add the summary as the last line."""
        self._lines.append(summary(seen, missing))
        self._refresh()

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._picture())

    def _picture(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title=f"What {self._viewer} sees", title_justify="left")
        for heading in ("Node", "Address", "Status", "Note"):
            table.add_column(heading, min_width=8)
        for member in self._members:
            suspicion = member.suspicion
            note = f"suspected by {suspicion.accuser}" if suspicion is not None else ""
            status = Text(member.status, style=COLOURS.get(member.status, ""))
            table.add_row(member.name, member.address, status, note)
        return Group(table, Text("\n".join(self._lines)))


def summary(seen: dict[str, float], missing: list[str]) -> str:
    """Return the last line of the demo."""
    told = "; ".join(f"{what} after {seconds:.1f} s" for what, seconds in seen.items())
    if missing:
        return f"demo failed, not seen: {', '.join(missing)}" + (f" (seen: {told})" if told else "")
    return f"demo done: {told}"
