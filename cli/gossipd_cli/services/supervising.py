"""One program in the foreground: started, given our signals, and waited for.

Signals are taken one at a time with ``sigwaitinfo``, so no handler runs in the
middle of something, and each tells who sent it: what the terminal sends (Ctrl-C,
a new size) the program got as well, because it is in our process group, and is
not forwarded a second time.
"""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FORWARDED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
    signal.SIGCONT,
    signal.SIGTSTP,
)
_TAKEN = frozenset({*FORWARDED, signal.SIGCHLD})
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of a shell for a program that cannot be started."""
SIGNALLED = 128
_OF_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH)
_FROM_KERNEL = 0x80
"""``si_code`` of a signal that the terminal sent, to all of its foreground group."""
_UNTOUCHED = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these; a program must get them as they usually are."""


class NotStarted(Exception):
    """The program cannot be started; ``code`` is the exit code for it."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class Foreground:
    """Runs one program; signals are held back from its making until ``close``.

    To be made before any thread, which inherits what it holds back.
    """

    def __init__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, _TAKEN)
        self._pid = 0

    def close(self) -> None:
        """Let signals act as before; those that came too late are forgotten."""
        while signal.sigtimedwait(_TAKEN, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    def start(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the program.

        Raises:
            NotStarted: there is none of that name, or it cannot be run.
        """
        try:
            self._pid = os.posix_spawnp(
                words[0], list(words), environment, setsigmask=self._before, setsigdef=_UNTOUCHED
            )
        except FileNotFoundError as error:
            raise NotStarted(f"{words[0]}: no such program", NOT_FOUND) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise NotStarted(f"{words[0]}: {reason}", NOT_EXECUTABLE) from error

    def run(self, on_end: Callable[[], float]) -> int:
        """Wait for the program; return its exit code, 128 + n if signal n ended it.

        Args:
            on_end: called at the first SIGTERM; says how many seconds to wait before the
                program gets it. A second one goes to it at once.
        """
        deadline: float | None = None
        is_ending = False
        while True:
            found = self._next_signal(deadline)
            if found is None:
                deadline = None
                self._send(signal.SIGTERM)
                continue
            number = found.si_signo
            if number == signal.SIGCHLD:
                code = self._exit_code()
                if code is not None:
                    return code
            elif number == signal.SIGTERM and not is_ending:
                is_ending = True
                deadline = time.monotonic() + on_end()
            elif number == signal.SIGTERM:
                deadline = None
                self._send(number)
            elif not self._reached_program(found):
                self._send(number)
            elif number == signal.SIGTSTP:
                os.kill(os.getpid(), signal.SIGSTOP)  # as Ctrl-Z did with the program

    def _reached_program(self, found: signal.struct_siginfo) -> bool:
        """Say whether the terminal sent the signal to the program as well."""
        if found.si_code != _FROM_KERNEL or found.si_signo not in _OF_TERMINAL:
            return False
        return os.getpgid(self._pid) == os.getpgrp()

    def _next_signal(self, deadline: float | None) -> signal.struct_siginfo | None:
        if deadline is None:
            return signal.sigwaitinfo(_TAKEN)
        return signal.sigtimedwait(_TAKEN, max(0.0, deadline - time.monotonic()))

    def _send(self, number: int) -> None:
        # not yet waited for, so the number is still that of our child
        os.kill(self._pid, number)

    def _exit_code(self) -> int | None:
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid:
            return None  # it stopped, or it is another child's end that was told
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else SIGNALLED - code
