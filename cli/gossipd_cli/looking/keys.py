"""Single keys from a terminal, without waiting for a line; the terminal is mended at the end."""

from __future__ import annotations

import os
import select
import termios
import tty
from typing import Self


class Keys:
    """The keyboard behind a descriptor; use it as a context manager."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before = termios.tcgetattr(descriptor)

    def __enter__(self) -> Self:
        tty.setcbreak(self._descriptor)  # Ctrl-C stays what it is
        return self

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def wait(self, seconds: float) -> str:
        """Return the key that is pressed within ``seconds``, else empty text; q at the end."""
        if not select.select([self._descriptor], [], [], max(0.0, seconds))[0]:
            return ""
        pressed = os.read(self._descriptor, 32)
        return pressed[:1].decode("ascii", "ignore").lower() if pressed else "q"
