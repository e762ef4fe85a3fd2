"""Blocking questions: an answer is held until it is another one than the client has.

consul-http.md, sections 5 (by index) and 6 (by hash). Whoever asks with an index
that is not the present one is answered at once, be it lower or higher: it may be
from another agent. Who waits is a waker in a table (``transport/holding.py``); nothing polls.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from gossipd.rest.query import index_of, wait_of
from gossipd.rest.topics import Topic, Topics
from gossipd.rest.transport.holding import Held
from gossipd.rest.values import Request
from gossipd.value import Value

WAIT_DEFAULT = 300.0
WAIT_MAX = 600.0
JITTER = 16
"""A held answer comes up to a sixteenth of ``wait`` later than asked, so that not all come at
once."""


class Hold(Value):
    """What a client has already, and how long it waits for something else, in seconds."""

    index: int = 0
    digest: str = ""
    wait: float = WAIT_DEFAULT


AT_ONCE = Hold()


def hold_of(request: Request) -> Hold:
    """Return what a request says of waiting.

    Raises:
        Refused: 400, an index or a duration that is none.
    """
    query = request.query
    if "index" not in query and "hash" not in query and "wait" not in query:
        return AT_ONCE
    wait = min(wait_of(request, WAIT_DEFAULT), WAIT_MAX) or WAIT_DEFAULT
    return Hold(index_of(request), request.first("hash"), wait)


def hold_while(
    is_same: Callable[[], bool],
    topics: Topics,
    keys: tuple[Topic, ...],
    wait: float,
    random: Random,
) -> None:
    """Give way if ``is_same`` holds: the handler is asked again after a change, or ``wait``.

    Args:
        is_same: whether there is nothing new.
        topics: tell of changes.
        keys: what the answer is made from.
        wait: seconds; a bit more may pass.
        random: for the bit.

    Raises:
        Held: there is nothing new; until then and while it is watched nothing else runs, so
            no change falls in between.
    """
    if is_same():
        raise Held(topics, keys, wait + random.uniform(0, wait / JITTER))
