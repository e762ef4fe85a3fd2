"""``SnapshotFile``: the snapshot on disk, which belongs to one live daemon.

Blocking; the journal runs it in a thread, one call at a time. The lock is on
the file itself and moves to each new one before that takes the old one's
place, so it is never free while the daemon runs.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from gossipd.agent.state.durable import open_aside, sync_folder_of, write_all
from gossipd.agent.system_errors import reason_of
from gossipd.errors import ConfigError

FILE_MODE = 0o644
READ_BYTES = 64 * 1024
CLOSE_PATIENCE = 0.5
"""Seconds that closing waits for a write under way."""
_OPEN_TRIES = 10
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Reasons why a file cannot be made that may pass while the daemon runs."""


class SnapshotFile:
    """The file at ``path``, open, locked and appended to.

    One that can be read but not written now (a full disk, a read-only file
    system) is no error here: the first write says so.

    Raises:
        ConfigError: another daemon uses it, it is no file, or cannot be read or made.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self._busy = threading.Lock()
        self._is_closed = False
        try:
            self._descriptor = self._open()
        except OSError as error:
            raise ConfigError(f"snapshot {path}: {reason_of(error)}") from error

    def _open(self) -> int | None:
        for _ in range(_OPEN_TRIES):
            try:
                descriptor = _open(self.path)
            except OSError as error:
                if error.errno in _UNWRITABLE:
                    return None
                raise
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise ConfigError(f"snapshot {self.path} is not a file: name another one")
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(descriptor, self.path):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                raise self._taken() from None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its daemon has just put a newer one in its place
        raise self._taken()

    def _taken(self) -> ConfigError:
        return ConfigError(
            f"snapshot {self.path} is in use by a running daemon: stop it, or name another file"
        )

    def chunks(self) -> Iterator[bytes]:
        """Yield what the file holds.

        Raises:
            ConfigError: it cannot be read.
        """
        at = 0
        while self._descriptor is not None:
            try:
                chunk = os.pread(self._descriptor, READ_BYTES, at)
            except OSError as error:
                raise ConfigError(f"snapshot {self.path}: {reason_of(error)}") from error
            if not chunk:
                return
            at += len(chunk)
            yield chunk

    def append(self, data: bytes) -> None:
        """Add ``data`` and return when it is on disk.

        Raises:
            OSError: part of it may be in the file, or somebody took the file away.
        """
        with self._at_work():
            descriptor = self._descriptor
            if descriptor is None or not _is_at(descriptor, self.path):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            write_all(descriptor, [data])
            os.fdatasync(descriptor)

    def rewrite(self, pieces: Iterable[bytes]) -> int:
        """Put a new file in place of the old one; return its length when it is on disk.

        Raises:
            OSError: the old one is still there, if there was one.
        """
        with self._at_work():
            if self._is_closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            aside = f"{self.path}.compact"
            descriptor = open_aside(aside, self.path, FILE_MODE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                size = write_all(descriptor, pieces)
                os.fsync(descriptor)
                os.rename(aside, self.path)
            except BaseException:
                os.close(descriptor)
                with suppress(OSError):
                    os.unlink(aside)
                raise
            old, self._descriptor = self._descriptor, descriptor
            if old is not None:
                os.close(old)
            sync_folder_of(self.path)
            return size

    def close(self) -> None:
        """Give the file back; a write that hangs does so when it comes to an end."""
        self._is_closed = True
        self._give_back(CLOSE_PATIENCE)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        try:
            with self._busy:
                yield
        finally:
            if self._is_closed:
                self._give_back(0.0)

    def _give_back(self, patience: float) -> None:
        # asked for by whoever closes, and again by whoever was writing then
        if self._busy.acquire(timeout=patience):
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)
            self._busy.release()


def _open(path: str) -> int:
    flags = os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe is refused, not waited for
    try:
        return os.open(path, flags | os.O_RDWR | os.O_CREAT, FILE_MODE)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS):
            raise
        return os.open(path, flags | os.O_RDONLY)


def _is_at(descriptor: int, path: str) -> bool:
    """Say whether the open file is the one that stands at ``path``."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (mine.st_dev, mine.st_ino) == (found.st_dev, found.st_ino)
