"""The reader of our output: a command that goes on for ever ends with it.

A pipe whose reader is gone (``| head -1``) says so to whoever writes next, which may be
hours later: until then the command would hold its connection, for nobody.
"""

from __future__ import annotations

import _thread
import os
import select
import stat

from gossipd_cli.exits import FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

STDOUT = 1


def end_with_reader(output: int = STDOUT, end: Callable[[int], object] = os._exit) -> None:
    """End this process as soon as nobody can read ``output`` any more, if it is a pipe.

    For commands that only print: there is nothing to put in order, and nobody to tell. The
    exit code is the one of an output that cannot be written.

    Args:
        output: the descriptor.
        end: called in a thread of its own with the exit code.
    """
    mode = os.fstat(output).st_mode
    if not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode):
        return  # a terminal says so by a signal, a file never
    _thread.start_new_thread(_watch, (output, end))


def _watch(output: int, end: Callable[[int], object]) -> None:
    poll = select.poll()
    poll.register(output, 0)  # the end of the other side is told without being asked for
    poll.poll()
    end(FAILED)
