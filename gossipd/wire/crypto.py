"""AES-GCM sealing of packets and stream frames (gossip.md, section 5.2).

``version (u8) | nonce (12) | ciphertext | tag (16)``. Version 1 seals the
plaintext as it is, version 0 pads it first (PKCS7, 16 bytes). The caller
brings the nonce and the authenticated data; the cryptography package, which
costs about 10 MB, is imported when the first key is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gossipd.errors import WireError
from gossipd.wire.reasons import BAD_ENCRYPTION, EMPTY, NO_KEY_FITS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
BLOCK_BYTES: Final = 16
VERSION_PADDED: Final = 0
VERSION_PLAIN: Final = 1
OVERHEAD_BYTES: Final = {VERSION_PADDED: 45, VERSION_PLAIN: 29}
"""Most bytes a sealed payload is longer than its plaintext; also the shortest legal payload."""


class Ciphers:
    """Seals and opens payloads; keeps one prepared cipher for each key in use."""

    __slots__ = ("_prepared",)

    def __init__(self) -> None:
        self._prepared: dict[bytes, AESGCM] = {}

    def seal(
        self,
        key: bytes,
        plaintext: bytes,
        associated: bytes,
        nonce: bytes,
        version: int = VERSION_PLAIN,
    ) -> bytes:
        """Return the sealed payload.

        Args:
            key: 16, 24 or 32 bytes.
            plaintext: what to seal.
            associated: authenticated, not sent.
            nonce: 12 bytes, never used twice with one key.
            version: 1, or 0 for peers of protocol 1.
        """
        if version == VERSION_PADDED:
            padding = BLOCK_BYTES - len(plaintext) % BLOCK_BYTES
            plaintext += bytes((padding,)) * padding
        sealed = self._cipher(key).encrypt(nonce, plaintext, associated)
        return b"".join((bytes((version,)), nonce, sealed))

    def open_untrusted(self, keys: tuple[bytes, ...], payload: bytes, associated: bytes) -> bytes:
        """Return the plaintext, opened by the first key that fits; never empty.

        Raises:
            WireError: unknown version, too short, no key fits, or bad padding.
        """
        if not payload:
            raise WireError(EMPTY, "cannot decrypt an empty payload")
        version = payload[0]
        shortest = OVERHEAD_BYTES.get(version)
        if shortest is None:
            raise WireError(BAD_ENCRYPTION, f"unsupported encryption version {version}")
        if len(payload) < shortest:
            raise WireError(BAD_ENCRYPTION, f"payload of {len(payload)} bytes is too small")
        plaintext = self._try_keys_untrusted(keys, payload, associated)
        if version == VERSION_PADDED:
            plaintext = _unpad_untrusted(plaintext)
        if not plaintext:
            raise WireError(EMPTY, "the decrypted payload is empty")
        return plaintext

    def forget_except(self, keys: tuple[bytes, ...]) -> None:
        """Drop prepared ciphers of keys that are no longer installed."""
        for key in [key for key in self._prepared if key not in keys]:
            del self._prepared[key]

    def _try_keys_untrusted(
        self, keys: tuple[bytes, ...], payload: bytes, associated: bytes
    ) -> bytes:
        from cryptography.exceptions import InvalidTag  # late: see the head of the file

        nonce, sealed = payload[1 : 1 + NONCE_BYTES], payload[1 + NONCE_BYTES :]
        for key in keys:
            try:
                return self._cipher(key).decrypt(nonce, sealed, associated)
            except InvalidTag:
                continue
        raise WireError(NO_KEY_FITS, "no installed keys could decrypt the message")

    def _cipher(self, key: bytes) -> AESGCM:
        cipher = self._prepared.get(key)
        if cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # late, as above

            cipher = self._prepared[key] = AESGCM(key)
        return cipher


def _unpad_untrusted(plaintext: bytes) -> bytes:
    padding = plaintext[-1] if plaintext else 0
    if not 0 < padding <= len(plaintext):
        raise WireError(BAD_ENCRYPTION, f"padding of {padding} bytes is impossible")
    return plaintext[:-padding]
