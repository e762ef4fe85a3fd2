"""Files that are whole and on disk after a crash: written aside, synced, renamed.

Reading is here too. Blocking; callers on trio run them in a thread.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable
from contextlib import suppress

PIECE_BYTES = 256 * 1024
LEFTOVER_AGE = 60.0
"""Seconds after which a file that was to take another one's place never will."""


def read_file(path: str, bytes_max: int) -> bytes:
    """Return the first ``bytes_max`` bytes of a file; a pipe, which might hang, is none.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a regular file")
        return file.read(bytes_max)


def write_all(descriptor: int, pieces: Iterable[bytes]) -> int:
    """Write all of ``pieces``, gathered into larger ones; return the number of bytes.

    Raises:
        OSError: some may have been written.
    """
    total, gathered = 0, bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= PIECE_BYTES:
            total += _write(descriptor, gathered)
            gathered = bytearray()
    return total + _write(descriptor, gathered)


def _write(descriptor: int, data: bytearray) -> int:
    with memoryview(data) as view:
        written = 0
        while written < len(data):
            written += os.write(descriptor, view[written:])
    return written


def sync_folder_of(path: str) -> None:
    """Make sure that a file made or renamed in the folder of ``path`` is found after a crash.

    Raises:
        OSError: the folder is gone, or the disk is failing.
    """
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def replace_file(path: str, data: bytes, mode: int) -> None:
    """Put ``data`` in place of the file at ``path``: after a crash it is the old or the new one.

    Args:
        path: a symbolic link is followed.
        data: the whole content.
        mode: permissions of a new file; an existing one keeps its own.

    Raises:
        OSError: nothing was changed.
    """
    path = os.path.realpath(path)
    aside = f"{path}.{os.getpid()}.new"  # two daemons may share a file of keys
    descriptor = open_aside(aside, path, mode)
    try:
        try:
            write_all(descriptor, [data])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(aside, path)
    except OSError:
        with suppress(OSError):  # the first error is the one to tell
            os.unlink(aside)
        raise
    _sweep(path)
    sync_folder_of(path)


def _sweep(path: str) -> None:
    """Remove what killed daemons left beside ``path``: it may hold keys that were removed."""
    folder, name = os.path.split(path)
    for found in os.listdir(folder):
        number = found.removeprefix(f"{name}.").removesuffix(".new")
        if not number.isdecimal() or found != f"{name}.{number}.new":
            continue
        left = os.path.join(folder, found)
        with suppress(OSError):  # another daemon swept too, or has put its file in place
            if time.time() - os.stat(left).st_mtime > LEFTOVER_AGE:
                os.unlink(left)


def open_aside(aside: str, path: str, mode: int) -> int:
    """Return a descriptor of a new file ``aside`` with the permissions of the one at ``path``.

    What a write that was cut off left under that name is removed, so that secrets
    never come into a file that others opened before. Without a file at ``path``
    the new one has ``mode``.

    Raises:
        OSError: it cannot be made, and is not there.
    """
    with suppress(FileNotFoundError):
        os.unlink(aside)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(aside, flags, mode)
    try:
        with suppress(FileNotFoundError):
            os.fchmod(descriptor, os.stat(path).st_mode & 0o777)
    except OSError:
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(aside)
        raise
    return descriptor
