"""Members and JSON as text: columns as Serf's command prints them, but sorted."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gossipd.query.records import MemberRecord


def printable(text: str) -> str:
    """Return ``text`` fit for a terminal: bytes and controls of others are escaped."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def member_table(members: Sequence[MemberRecord], *, detailed: bool = False) -> str:
    """Return the members in columns, one line each; empty text without members."""
    rows = []
    for member in members:
        tags = member.tags
        row = [
            printable(member.name),
            member.address,
            _status(member),
            printable(",".join([f"{key}={tags[key]}" for key in sorted(tags)])),
        ]
        if detailed:
            current, high, low = member.delegate
            row.append(f"Protocol Version: {current}  Available Protocol Range: [{low}, {high}]")
        rows.append(row)
    return table(rows)


def _status(member: MemberRecord) -> str:
    suspicion = member.suspicion
    if suspicion is None:
        return member.status
    return f"{member.status} (suspected by {printable(suspicion.accuser)})"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns two spaces apart, without trailing spaces."""
    if not rows:
        return ""
    widths = [max([len(cell) for cell in column]) for column in zip(*rows, strict=True)]
    form = "  ".join([f"{{:<{width}}}" for width in widths]).format
    return "".join([form(*row).rstrip() + "\n" for row in rows])


def member_json(member: MemberRecord) -> dict[str, Any]:
    """Return a member as Serf's ``members -format=json`` shows it, with the suspicion."""
    current, high, low = member.delegate
    shown: dict[str, Any] = {
        "name": member.name,
        "addr": member.address,
        "port": member.port,
        "tags": dict(sorted(member.tags.items())),
        "status": member.status,
        "protocol": {"max": high, "min": low, "version": current},
    }
    suspicion = member.suspicion
    if suspicion is not None:
        shown["suspected"] = {
            "by": suspicion.accuser,
            "confirmations": suspicion.confirmations,
            "for_seconds": round(suspicion.suspected_for, 3),
            "remaining_seconds": round(suspicion.remaining, 3),
        }
    return shown


def as_json(value: object) -> str:
    """Return ``value`` as JSON with two spaces of indentation and a newline."""
    import json

    return json.dumps(value, indent=2, default=_json_bytes) + "\n"


def as_json_line(value: object) -> str:
    """Return ``value`` as JSON on one line."""
    import json

    return json.dumps(value, separators=(",", ":"), default=_json_bytes) + "\n"


def _json_bytes(value: object) -> str:
    """Return bytes as text; bytes that are not UTF-8 keep their value as escapes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
