"""Where the keys of a start come from, and where changes of them are kept.

``keyring_file`` is both. With ``encrypt_key`` alone, changes are kept in
``keyring.json`` of ``data_dir``, which counts from then on: after a rotation the
key in the configuration is one that the cluster has removed.
"""

from __future__ import annotations

import os

from gossipd.agent.state.folder import KEYRING
from gossipd.config.agent_model import AgentConfig
from gossipd.value import Value


class KeySource(Value):
    """The keys to start with, primary first, and the file that keeps them, if any.

    ``notes`` are level and text of what the operator should know.
    """

    keys: tuple[bytes, ...]
    path: str
    notes: tuple[tuple[str, str], ...] = ()


def key_source(config: AgentConfig) -> KeySource:
    """Return the keys that ``config`` means.

    Raises:
        ConfigError: the file of keys cannot be used.
    """
    if config.keyring_file:
        return KeySource(_read(config.keyring_file), config.keyring_file)
    configured = config.node.keys
    if not config.data_dir:
        return KeySource(configured, "", _lost_at_restart(configured))
    path = os.path.join(config.data_dir, KEYRING)
    if not configured:
        return KeySource((), "", _set_aside(path))
    if not os.path.exists(path):
        return KeySource(configured, path)
    kept = _read(path)
    if kept[0] == configured[0]:
        return KeySource(kept, path)
    text = (
        f"agent: keys come from {path}: they were changed since, and encrypt_key of the"
        " configuration is not the primary one"
    )
    return KeySource(kept, path, (("WARN", text),))


def _lost_at_restart(keys: tuple[bytes, ...]) -> tuple[tuple[str, str], ...]:
    if not keys:
        return ()
    text = "agent: changed keys are lost at a restart: set keyring_file or data_dir to keep them"
    return (("INFO", text),)


def _set_aside(path: str) -> tuple[tuple[str, str], ...]:
    if not os.path.exists(path):
        return ()
    text = f"agent: not encrypted: no encrypt_key is configured, and {path} counts only with one"
    return (("WARN", text),)


def _read(path: str) -> tuple[bytes, ...]:
    from gossipd.agent.state.keyring_file import read_keyring  # only where keys are kept

    return read_keyring(path)
