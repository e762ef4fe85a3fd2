"""A picture of the cluster for the terminal, drawn by rich; names of peers are plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gossipd_cli.looking.picture import Picture, status_of
from gossipd_cli.render import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gossipd.query.records import MemberRecord
    from gossipd.services.instance import ServiceSummary

STYLES = {
    "alive": "green",
    "suspect": "yellow",
    "failed": "bold red",
    "leaving": "cyan",
    "left": "dim",
}
MARKS = {"alive": "●", "suspect": "▲", "failed": "✕", "leaving": "○", "left": "○"}
HEAD_LINES = 4
"""Above the tables: two lines, and the heads of members and services."""
KEYS_HELP = "q quit   s status   n name   r round trip"


def draw(picture: Picture, sort: str, height: int | None, *, with_keys: bool) -> RenderableType:
    """Return the picture in ``height`` lines; ``None`` is as many as it takes."""
    members, services = picture.sorted_members(sort), list(picture.services)
    services.sort(key=lambda one: (one.passing > 0, one.critical + one.warning == 0, one.name))
    shown_members, shown_services = len(members), len(services)
    if height is not None:
        room = max(2, height - HEAD_LINES - (2 if with_keys else 1) - 2)
        shown_services = min(shown_services, max(room // 3, room - shown_members))
        shown_members = min(shown_members, max(1, room - shown_services))
    parts: list[RenderableType] = [_head(picture), _traffic(picture)]
    parts.append(_members(picture, members[:shown_members]))
    if shown_members < len(members):
        parts.append(Text(f"  and {len(members) - shown_members} more", style="dim"))
    if services:
        parts.append(_services(services[:shown_services]))
        if shown_services < len(services):
            parts.append(Text(f"  and {len(services) - shown_services} more", style="dim"))
    if with_keys:
        parts.append(Text(f"{KEYS_HELP}   (by {sort})", style="dim"))
    return Group(*parts)


def _head(picture: Picture) -> Text:
    line = Text.assemble(("gossipd", "bold"), f" at {printable(picture.node)}   ")
    for status, count in picture.counts().items():
        if count or status in ("alive", "failed"):
            line.append(f"{count} {status}   ", style=STYLES[status] if count else "dim")
    score = picture.health_score
    line.append(f"health score {score}", style="yellow" if score else "dim")
    return line


def _traffic(picture: Picture) -> Text:
    rates = picture.rates
    if not rates:
        return Text("")
    return Text(
        f"in {rates['packets_in']:.0f} packets/s {_size(rates['bytes_in'])}/s"
        f"   out {rates['packets_out']:.0f} packets/s {_size(rates['bytes_out'])}/s",
        style="dim",
    )


def _size(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        is_number = column in ("rtt", "passing")
        table.add_column(column, justify="right" if is_number else "left", no_wrap=True)
    return table


def _members(picture: Picture, members: list[MemberRecord]) -> Table:
    table = _table("member", "status", "rtt", "address", "about")
    for member in members:
        status = status_of(member)
        style = STYLES.get(status, "")
        rtt = picture.rtts.get(member.name)
        table.add_row(
            Text(printable(member.name)),
            Text(f"{MARKS.get(status, '?')} {status}", style=style),
            Text("-" if rtt is None else f"{rtt * 1000:.2f} ms"),
            Text(member.address, style="dim"),
            _about(member),
        )
    return table


def _about(member: MemberRecord) -> Text:
    suspicion = member.suspicion
    if suspicion is not None:
        return Text(
            f"accused by {printable(suspicion.accuser)}, {suspicion.confirmations} confirmed,"
            f" {suspicion.remaining:.1f} s to refute",
            style="yellow",
        )
    tags = " ".join(f"{key}={member.tags[key]}" for key in sorted(member.tags))
    return Text(printable(tags), style="dim")


def _services(services: list[ServiceSummary]) -> Table:
    table = _table("service", "passing", "others", "needs", "tags")
    for one in services:
        style = "bold red" if not one.passing else "yellow" if _is_unwell(one) else "green"
        others = [
            f"{count} {what}"
            for count, what in (
                (one.warning, "warning"),
                (one.critical, "critical"),
                (one.doubtful, "doubtful"),
            )
            if count
        ]
        if one.is_guarded:
            others.append("guarded")
        table.add_row(
            Text(printable(one.name)),
            Text(f"{one.passing}/{one.total}", style=style),
            Text(", ".join(others), style="yellow"),
            Text(printable(" ".join(one.needs))),
            Text(printable(" ".join(one.tags)), style="dim"),
        )
    return table


def _is_unwell(one: ServiceSummary) -> bool:
    return bool(one.warning or one.critical or one.doubtful or one.is_guarded)
