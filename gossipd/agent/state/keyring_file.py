"""The keyring file: a JSON list of base64 keys, the primary first (agent.md, section 7).

It is replaced whole (``durable.py``): a crash leaves the old keys or the new ones.
"""

from __future__ import annotations

from base64 import b64encode

from gossipd.agent.state.durable import read_file
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
        data = read_file(path, KEYRING_BYTES_MAX + 1)
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

    from gossipd.agent.state.durable import replace_file

    text = json.dumps([b64encode(key).decode() for key in keys], indent=2) + "\n"
    try:
        replace_file(path, text.encode(), NEW_FILE_MODE)
    except OSError as error:
        raise Unavailable(f"keyring_file {path}: {reason_of(error)}") from error
