"""Exit codes, and errors as one line on stderr.

0    done; also when nothing matches, and when Ctrl-C ends what was to go on until then
1    the answer is no: the daemon refused, members are unreachable, output cannot be written
2    usage: a word, option or address that makes no sense
3    no daemon can be reached at the socket, or it does not answer
4    the time is up (``wait``)
130  cut off by Ctrl-C (``simulate``: also by SIGTERM)
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DONE = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 3
TIMED_OUT = 4
INTERRUPTED = 130
FILTERS_HELP = (
    ": give *, member-join, member-leave, member-failed, member-update, member-reap, user,"
    " user:NAME, query or query:NAME; several with commas and without spaces"
)


def run_guarded(run: Callable[[], int]) -> int:
    """Return what ``run`` returns, or the exit code for the error it raises."""
    try:
        code = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (``| head``); nothing is left to tell it.
        _give_up_output()
        return FAILED
    except OSError as error:
        # A full disk; what the client meets on its socket is never a bare OSError.
        _give_up_output()
        complain(f"cannot write the output: {error.strerror or error}")
        return FAILED
    except Exception as error:
        found = _exit_code(error)
        if found is None:
            raise
        from gossipd.query.requests import AUTH_REQUIRED, INVALID_FILTER  # loaded by the client

        text = str(error)
        if text == AUTH_REQUIRED:
            text += ": show the daemon's token with --rpc-auth or GOSSIPD_RPC_AUTH"
        elif text == INVALID_FILTER:
            text += FILTERS_HELP
        complain(text)
        return found
    return code


def _give_up_output() -> None:
    """Let what is still buffered vanish, or the interpreter would fail at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def complain(text: str) -> None:
    """Write one error line to stderr; control characters of others are escaped."""
    from gossipd_cli.render import printable  # an agent would keep it for life

    lines = [printable(line.strip(" \t*")) for line in text.splitlines() if line.strip()]
    head = lines[0] if lines else "failed"
    rest = "; ".join(lines[1:])
    sys.stderr.write(f"gossipd: {head} {rest}\n" if rest else f"gossipd: {head}\n")


def _exit_code(error: Exception) -> int | None:
    from gossipd.client.connection import DaemonUnreachable
    from gossipd.client.link import NoAnswer
    from gossipd.errors import ConfigError, GossipdError, UsageError

    if isinstance(error, (DaemonUnreachable, NoAnswer)):
        return UNREACHABLE
    if isinstance(error, (UsageError, ConfigError)):
        return USAGE
    return FAILED if isinstance(error, GossipdError) else None
