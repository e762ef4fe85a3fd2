"""The daemon as a process, as the system shows it: descriptors, memory, limits, threads.

Only over a unix socket: its peer is the process that listens there. The command line and
the environment are never read, they may hold tokens.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

DESCRIPTORS_SHOWN = 4096
_FACTS = ("status", "limits", "smaps_rollup", "io", "cgroup")


def listening_process(path: str) -> int | None:
    """Return the process that listens at a unix socket; ``None`` if that cannot be told."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(5)
        try:
            asked.connect(path)
            raw = asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return None
    pid: int = struct.unpack("3i", raw)[0]
    return pid or None


def facts_of(pid: int, proc: Path = Path("/proc")) -> dict[str, str]:
    """Return files about a process by name; one that cannot be read says why."""
    own = proc / str(pid)
    files = {f"process/{name}.txt": _read(own / name) for name in _FACTS}
    files["process/descriptors.txt"] = _descriptors(own / "fd")
    files["process/threads.txt"] = _threads(own / "task")
    return files


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        return f"cannot be read: {error.strerror}\n"


def _descriptors(folder: Path) -> str:
    try:
        names = sorted(os.listdir(folder), key=int)
    except OSError as error:
        return f"cannot be read: {error.strerror}\n"
    lines = [f"{len(names)} open\n"]
    for name in names[:DESCRIPTORS_SHOWN]:
        try:
            lines.append(f"{name} {os.readlink(folder / name)}\n")
        except OSError:
            lines.append(f"{name} closed meanwhile\n")
    return "".join(lines)


def _threads(folder: Path) -> str:
    try:
        numbers = sorted(os.listdir(folder), key=int)
    except OSError as error:
        return f"cannot be read: {error.strerror}\n"
    return "".join(
        f"{number} {_read(folder / number / 'comm').strip()}"
        f" waits in {_read(folder / number / 'wchan').strip()}\n"
        for number in numbers
    )
