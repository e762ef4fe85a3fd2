"""The file of ``data_dir`` that remembers the epoch of the catalog: a number as text.

An epoch says which life of a node its records are of, and must grow with each
life. It is the milliseconds since 1970 at the start, so nodes without a disk have
growing ones too unless their clock goes back; the file guards against that.
"""

from __future__ import annotations

from gossipd.agent.state.durable import read_file, replace_file
from gossipd.agent.system_errors import reason_of

FILE_MODE = 0o600
EPOCH_MAX = 2**53 - 1
"""Beyond it peers believe nothing."""
_DIGITS_MAX = 16


def next_epoch(path: str, now_ms: int) -> tuple[int, str]:
    """Return the epoch of the life that begins now, and keep it in the file at ``path``.

    Args:
        path: of the file; it need not exist.
        now_ms: milliseconds since 1970.

    Returns:
        The epoch, and what the operator should know, empty if there is nothing: a file
        that cannot be used must not keep a node from starting, for the clock nearly
        always goes forward.
    """
    kept, note = 0, ""
    try:
        text = read_file(path, _DIGITS_MAX + 2).strip()
        if text.isdigit() and int(text) < EPOCH_MAX:
            kept = int(text)
        else:
            note = f"epoch file {path}: it holds no epoch and is written anew"
    except FileNotFoundError:
        pass
    except OSError as error:
        note = f"epoch file {path}: {reason_of(error)}"
    epoch = max(now_ms, kept + 1)
    return epoch, keep_epoch(path, epoch) or note


def keep_epoch(path: str, epoch: int) -> str:
    """Write ``epoch`` into the file at ``path``; return why that failed, empty if it did not."""
    try:
        replace_file(path, b"%d\n" % epoch, FILE_MODE)
    except OSError as error:
        return f"epoch file {path}: {reason_of(error)}"
    return ""
