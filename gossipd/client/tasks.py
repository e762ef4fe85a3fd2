"""What a daemon tells of its tasks, as it comes (see ``rpc/tasks.py``)."""

from __future__ import annotations

from gossipd.errors import WireError
from gossipd.query.records import BAD_REPLY

LINES_MAX = 10_000


def read_tasks_untrusted(body: object) -> list[str]:
    """Return the lines in an answer to ``config``; none from a daemon that does not tell.

    Raises:
        WireError: ``bad-reply``.
    """
    lines = body.get("Tasks", []) if isinstance(body, dict) else None
    if not isinstance(lines, list) or len(lines) > LINES_MAX:
        raise WireError(BAD_REPLY, "an answer whose tasks cannot be read")
    if not all(isinstance(line, str) for line in lines):
        raise WireError(BAD_REPLY, "a task that is no text")
    return lines
