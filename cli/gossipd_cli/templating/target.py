"""Where a rendering goes: checked before anybody sees it, put in place in one step.

The new text is written beside the old file, looked at by the check command,
and renamed. Whatever fails, the old file stays as it is.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import subprocess
import sys
import tempfile

from gossipd.errors import GossipdError, UsageError
from gossipd_cli.exits import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PLACE = "{}"
COMMAND_SECONDS = 120.0
"""After which a check or reload command counts as failed and is ended."""
HIDDEN_SHOWN = 10
HIDDEN_MAX = 10_000
"""Names that are remembered so as not to be told again."""


class NotWritten(GossipdError):
    """The output is as it was; the message says why."""


class Target:
    """The output of a template and the commands around it.

    Args:
        path: of the output; empty is standard output.
        check: shell command that must succeed before; ``{}`` is the new file's path.
        run: shell command for afterwards.

    Raises:
        UsageError: ``check`` has no place for the file.
    """

    def __init__(self, path: str, check: str = "", run: str = "") -> None:
        if check and PLACE not in check:
            raise UsageError(f"--check: say with {PLACE} where the new file's path belongs")
        self.path = os.path.realpath(path) if path else ""
        self._check = check
        self._run = run
        self._owes_run = False
        self._shown: str | None = None
        self._hidden: set[str] = set()

    def tell_hidden(self, names: Iterable[str]) -> None:
        """Say on stderr which instances and services the output lacks, of each once."""
        new = set(names) - self._hidden
        if not new:
            return
        if len(self._hidden) > HIDDEN_MAX:
            self._hidden.clear()
        self._hidden |= new
        shown = ", ".join(sorted(new)[:HIDDEN_SHOWN]) + (", ..." if len(new) > HIDDEN_SHOWN else "")
        complain(
            "left out, for their name is not printable, or their address neither an IP nor a"
            f" host name: {shown}"
        )

    def put(self, text: str) -> bool:
        """Bring the output to ``text``; return whether it is another one now.

        The command for afterwards runs when it is, and once more at the next call if it failed.

        Raises:
            NotWritten: it could not be checked or written.
            UsageError: there is no such folder, or no right to write there.
        """
        data = text.encode("utf-8", "replace")
        changed = self._put(text, data)
        if changed:
            self._owes_run = bool(self._run)
        if self._owes_run:
            self._owes_run = False
            code = _shell(self._run)
            if code != 0:
                self._owes_run = True
                raise NotWritten(f"--exec: {_outcome(code)}: {self._run}")
        return changed

    def _put(self, text: str, data: bytes) -> bool:
        if not self.path:
            if text == self._shown:
                return False
            if self._check:
                with _beside(tempfile.gettempdir(), data, None) as path:
                    self._approve(path)
            sys.stdout.write(text)
            sys.stdout.flush()
            self._shown = text
            return True
        old = _read(self.path)
        if old is not None and old[0] == data:
            return False
        with _beside(os.path.dirname(self.path), data, old and old[1]) as path:
            if self._check:
                self._approve(path)
            try:
                os.rename(path, self.path)
            except OSError as error:
                raise _cannot(self.path, error) from error
        return True

    def _approve(self, path: str) -> None:
        code = _shell(self._check.replace(PLACE, shlex.quote(path)))
        if code != 0:
            kept = f", {self.path} is kept as it was" if self.path else ""
            raise NotWritten(f"--check: {_outcome(code)}{kept}: {self._check}")


def _read(path: str) -> tuple[bytes, os.stat_result] | None:
    try:
        with open(path, "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise UsageError(f"--out: {path} is no regular file")
            return file.read(), state
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot(path, error) from error


@contextlib.contextmanager
def _beside(folder: str, data: bytes, old: os.stat_result | None) -> Iterator[str]:
    """Write ``data`` to a new file with mode and owner of the old one; it is gone at the end."""
    try:
        number, path = tempfile.mkstemp(prefix=".gossipd-", dir=folder)
    except OSError as error:
        raise _cannot(folder, error) from error
    try:
        try:
            with open(number, "wb") as file:
                file.write(data)
                file.flush()
                if old is not None and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    with contextlib.suppress(PermissionError):
                        os.fchown(number, old.st_uid, old.st_gid)
                os.fchmod(number, _mode() if old is None else stat.S_IMODE(old.st_mode))
                os.fsync(number)
        except OSError as error:
            raise _cannot(folder, error) from error
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _mode() -> int:
    """Return the mode that a new file gets from the process's mask."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


def _cannot(path: str, error: OSError) -> GossipdError:
    text = f"--out: cannot write {path}: {error.strerror or error}"
    if isinstance(error, (FileNotFoundError, NotADirectoryError, PermissionError)):
        return UsageError(text)
    return NotWritten(text)


def _shell(command: str) -> int | None:
    """Run ``command``; return its code, ``None`` if it had to be ended.

    Its output goes to our standard error: standard output may be the rendering.
    """
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno() if _has_number(sys.stderr) else subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)


def _has_number(stream: object) -> bool:
    try:
        stream.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _outcome(code: int | None) -> str:
    if code is None:
        return f"not done after {COMMAND_SECONDS:g} s"
    return f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
