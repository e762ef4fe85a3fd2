"""The processes that another one began, wherever they moved since (Linux).

A child that began a session of its own is in no group of its parent's any
more; who its parent is, the kernel still knows. One whose parent ended in
between is nobody's child: it is not found.
"""

from __future__ import annotations

import os
import signal

FOUND_MAX = 512
"""Each is held by a descriptor; those of the group are reached without."""


class ProcessTree:
    """Descendants of a process, held so that no other one can take their numbers."""

    def __init__(self) -> None:
        self._held: dict[int, int] = {}

    def look(self, root: int) -> None:
        """Find the descendants that ``root`` has now; reads all of ``/proc``."""
        children: dict[int, list[int]] = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                children.setdefault(_parent(int(name)), []).append(int(name))
        waiting = [root]
        while waiting:
            parent = waiting.pop()
            for child in children.get(parent, ()):
                waiting.append(child)
                self._hold(child, parent)

    def _hold(self, pid: int, parent: int) -> None:
        if pid in self._held or len(self._held) >= FOUND_MAX:
            return
        try:
            held = os.pidfd_open(pid)
        except OSError:
            return  # it has just ended, or the kernel is older than 5.3
        if _parent(pid) == parent:
            self._held[pid] = held
        else:
            os.close(held)  # another process has its number by now

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all that were found."""
        for held in self._held.values():
            try:
                signal.pidfd_send_signal(held, number)
            except ProcessLookupError:
                continue  # it has ended
            except PermissionError:
                continue  # it is somebody else's now (a setuid program)

    def close(self) -> None:
        """Let go of all."""
        while self._held:
            os.close(self._held.popitem()[1])


def _parent(pid: int) -> int:
    """Return the parent of ``pid``, or -1 if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # the name of the program in parentheses may hold anything
            return int(file.read().rpartition(b") ")[2].split()[1])
    except (OSError, IndexError):
        return -1
