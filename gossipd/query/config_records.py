"""Bodies of ``config`` and ``reload``, gossipd's own commands: written and read here.

Loaded when first asked for, by both ends. Neither command exists in Serf;
an old server refuses them and closes (rpc.md, section 10).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gossipd.config.settings import Plain, Setting
from gossipd.errors import WireError
from gossipd.query.records import BAD_REPLY

SETTINGS_MAX = 10_000


class ReloadRecord:
    """What a reload did: keys that changed, that wait for a restart, tags kept as they are."""

    __slots__ = ("applied", "kept", "needs_restart")

    def __init__(
        self, applied: Sequence[str], needs_restart: Sequence[str], kept: Sequence[str]
    ) -> None:
        self.applied = tuple(applied)
        self.needs_restart = tuple(needs_restart)
        self.kept = tuple(kept)


def settings_body(settings: Iterable[Setting]) -> dict[str, object]:
    """Return the body of an answer to ``config``."""
    return {
        "Settings": [
            {
                "From": setting.origin,
                "Key": setting.key,
                "Table": setting.table,
                "Value": list(setting.value) if isinstance(setting.value, tuple) else setting.value,
            }
            for setting in settings
        ]
    }


def read_settings_untrusted(body: object) -> tuple[Setting, ...]:
    """Return the settings of an answer to ``config``.

    Raises:
        WireError: ``bad-reply``.
    """
    found = body.get("Settings") if isinstance(body, dict) else None
    if not isinstance(found, list) or len(found) > SETTINGS_MAX:
        raise WireError(BAD_REPLY, "an answer without its settings")
    return tuple([_setting_untrusted(entry) for entry in found])


def _setting_untrusted(entry: object) -> Setting:
    if isinstance(entry, dict):
        table, key, origin = entry.get("Table"), entry.get("Key"), entry.get("From")
        if isinstance(table, str) and isinstance(key, str) and isinstance(origin, str):
            return Setting(table, key, _value_untrusted(entry.get("Value")), origin)
    raise WireError(BAD_REPLY, "a setting without table, key or origin")


def _value_untrusted(value: object) -> Plain:
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        return _texts_untrusted(value)
    raise WireError(BAD_REPLY, "a setting of no known kind")


def reload_body(
    applied: Sequence[str], needs_restart: Sequence[str], kept: Sequence[str]
) -> dict[str, object]:
    """Return the body of an answer to ``reload``."""
    return {"Applied": list(applied), "Kept": list(kept), "NeedsRestart": list(needs_restart)}


def read_reload_untrusted(body: object) -> ReloadRecord:
    """Return what a reload did.

    Raises:
        WireError: ``bad-reply``.
    """
    if not isinstance(body, dict):
        raise WireError(BAD_REPLY, "an answer without its body")
    return ReloadRecord(
        _texts_untrusted(body.get("Applied")),
        _texts_untrusted(body.get("NeedsRestart")),
        _texts_untrusted(body.get("Kept")),
    )


def _texts_untrusted(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise WireError(BAD_REPLY, "no list of texts")
