"""``OwnTags``: our tags over restarts and reloads (agent.md, section 7).

The tags of the configuration are the base; what the ``tags`` command changed
is kept apart and wins. The file is a JSON object of texts, as Serf's tags file,
plus ``null`` for a tag of the base that was deleted. With Serf's option
``tags_file`` there is no base, so it holds all tags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gossipd.agent.system_errors import reason_of
from gossipd.errors import ConfigError, Unavailable
from gossipd.serf.tags import change_tags, encode_own_tags

FILE_BYTES_MAX = 64 * 1024
FILE_MODE = 0o600


class OwnTags:
    """The base, the changes, and the file of the changes.

    Args:
        base: tags of the configuration.
        path: of the file; empty keeps the changes for the life of the process only.
        tail: what stands behind them in the node meta, and takes of their room.

    Raises:
        ConfigError: the file cannot be read, or is no object of texts.
    """

    def __init__(self, base: Mapping[str, str], path: str = "", tail: bytes = b"") -> None:
        self._tail = tail
        self.path = path
        self._base = dict(base)
        self._changes = _read(path) if path else {}
        self.restored = sum(text is not None for text in self._changes.values())
        """How many tags the file had."""

    @property
    def current(self) -> dict[str, str]:
        """The tags that this node has: the base as changed."""
        return _changed(self._base, self._changes)

    def rebase(self, base: Mapping[str, str]) -> dict[str, str]:
        """Take ``base`` for the tags of the configuration; return the tags to have now.

        What the ``tags`` command changed stays changed. For a reload.

        Raises:
            UsageError: together they do not fit into the node meta; nothing was changed.
        """
        tags = self.rebased(base)
        self._base = dict(base)
        return tags

    def rebased(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return what ``rebase`` would; changes nothing, and raises the same."""
        tags = _changed(base, self._changes)
        encode_own_tags(tags, self._tail)
        return tags

    def plan(self, tags: Mapping[str, str], delete: Sequence[str]) -> dict[str, str | None]:
        """Return the changes as they would be after deleting tags, then setting ``tags``.

        Raises:
            UsageError: the encoded tags would do not fit into the node meta.
        """
        wanted = change_tags(self.current, tags, delete)
        encode_own_tags(wanted, self._tail)
        base, before = self._base, self._changes
        deleted = [*base, *(key for key, text in before.items() if text is None)]
        changes: dict[str, str | None] = {key: None for key in deleted if key not in wanted}
        # a tag that was set stays set, whatever the configuration says tomorrow
        for key, text in wanted.items():
            if key in tags or base.get(key) != text or key in before:
                changes[key] = text
        return changes

    def write(self, changes: Mapping[str, str | None]) -> None:
        """Put ``changes`` into the file, if there is one; blocks until they are on disk.

        Raises:
            Unavailable: the file cannot be written; it is as it was.
        """
        if not self.path:
            return
        import json  # only a daemon whose tags change needs it

        from gossipd.agent.state.durable import replace_file

        text = json.dumps(dict(sorted(changes.items())), indent=2)
        try:
            data = (text + "\n").encode("utf-8")
            replace_file(self.path, data, FILE_MODE)
        except OSError as error:
            raise Unavailable(
                f"cannot write tags file {self.path}: {reason_of(error)}; the tags are unchanged"
            ) from error

    def adopt(self, changes: Mapping[str, str | None]) -> None:
        """Take ``changes``, which were planned and written, for those that hold."""
        self._changes = dict(changes)


def _changed(base: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    merged = {**base, **changes}
    return {key: text for key, text in merged.items() if text is not None}


def _read(path: str) -> dict[str, str | None]:
    """Return the changes in the file at ``path``; none if there is no file yet.

    Raises:
        ConfigError: it cannot be read, or is no object of texts.
    """
    from gossipd.agent.state.durable import read_file  # only a daemon that has one needs it

    try:
        data = read_file(path, FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"tags file {path}: {reason_of(error)}") from error
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError(f"tags file {path}: larger than {FILE_BYTES_MAX} bytes")
    import json  # only a daemon that has one needs it

    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"tags file {path}: {error}") from error
    if not isinstance(found, dict) or not all(
        text is None or isinstance(text, str) for text in found.values()
    ):
        raise ConfigError(f"tags file {path}: it is not a JSON object of texts")
    return found
