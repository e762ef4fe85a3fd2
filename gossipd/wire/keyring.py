"""The ordered list of encryption keys (gossip.md, section 5.4).

The first key is the primary: it seals everything that goes out and is tried
first on what comes in. Holds keys only; sealing is ``crypto.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gossipd.errors import UsageError

KEY_BYTES: Final = (16, 24, 32)
"""Accepted key lengths: AES-128, AES-192 and AES-256."""


class Keyring:
    """Installed keys, primary first; empty means that encryption is off.

    Args:
        keys: raw keys of 16, 24 or 32 bytes, the primary first; repeats are dropped.

    Raises:
        UsageError: a key has another length.
    """

    __slots__ = ("keys",)

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        self.keys: tuple[bytes, ...] = ()
        """All keys, primary first; read it, the methods change it."""
        for key in keys:
            self.add(key)

    @property
    def primary(self) -> bytes | None:
        """The key that seals, or ``None`` while the ring is empty."""
        return self.keys[0] if self.keys else None

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, key: object) -> bool:
        return key in self.keys

    def add(self, key: bytes) -> None:
        """Install ``key`` behind the others; nothing happens if it is there.

        Raises:
            UsageError: its length is not 16, 24 or 32 bytes.
        """
        if len(key) not in KEY_BYTES:
            raise UsageError("key size must be 16, 24 or 32 bytes")
        if key not in self.keys:
            self.keys = (*self.keys, bytes(key))

    def use(self, key: bytes) -> None:
        """Make an installed ``key`` the primary one.

        Raises:
            UsageError: it is not installed.
        """
        if key not in self.keys:
            raise UsageError("Requested key is not in the keyring")
        self.keys = (bytes(key), *(other for other in self.keys if other != key))

    def remove(self, key: bytes) -> None:
        """Forget ``key``; nothing happens if it is not installed.

        Raises:
            UsageError: it is the primary key.
        """
        if self.keys and key == self.keys[0]:
            raise UsageError("Removing the primary key is not allowed")
        self.keys = tuple(other for other in self.keys if other != key)
