"""The keyring file: a JSON list of base64 keys, the primary first (agent.md, section 7).

It is replaced whole: what is written goes to a file beside it, is forced to disk and
takes the other's name, so that a crash leaves the old keys or the new ones.
"""

from __future__ import annotations

import contextlib
import os
import stat
from base64 import b64encode

from gossipd.agent.system_errors import reason_of
from gossipd.config.values import key_from
from gossipd.errors import ConfigError, Unavailable

KEYRING_BYTES_MAX = 1024 * 1024
NEW_FILE_MODE = 0o600


def read_keyring(path: str) -> tuple[bytes, ...]:
    """Return the keys in the file at ``path``, primary first.

    Raises:
        ConfigError: it cannot be read, is no list of keys, or is empty.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(KEYRING_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"keyring_file {path}: {reason_of(error)}") from error
    try:
        import json  # only a daemon with a keyring needs it

        texts = json.loads(data)
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ConfigError("it is not a JSON list of texts")
        keys = tuple(key_from(text) for text in texts)
    except (ValueError, RecursionError, ConfigError) as error:
        raise ConfigError(f"keyring_file {path}: {error}") from error
    if not keys:
        raise ConfigError(f"keyring_file {path}: Keyring file contains no keys")
    return tuple(dict.fromkeys(keys))


def write_keyring(path: str, keys: tuple[bytes, ...]) -> None:
    """Replace the file at ``path`` by ``keys``, the primary first; blocks until that is on disk.

    An existing file keeps its mode and a link stays one; a new file is 0600.

    Raises:
        Unavailable: it could not be written; what was there before still is.
    """
    import json  # as above

    text = json.dumps([b64encode(key).decode() for key in keys], indent=2) + "\n"
    place = os.path.realpath(path)
    beside = f"{place}.{os.getpid()}.new"
    try:
        _write_new(beside, text.encode(), _mode_of(place))
        try:
            os.replace(beside, place)
        except OSError:
            with contextlib.suppress(OSError):  # the first error is the one to tell
                os.unlink(beside)
            raise
        _sync_folder(os.path.dirname(place))
    except OSError as error:
        raise Unavailable(f"keyring_file {path}: {reason_of(error)}") from error


def _mode_of(path: str) -> int:
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return NEW_FILE_MODE


def _write_new(path: str, data: bytes, mode: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # of a write that was cut off under the same number of process
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, NEW_FILE_MODE)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            os.unlink(path)
        raise


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
