"""The folder for state: which file in it serves what, unless an option names another."""

from __future__ import annotations

import os

from gossipd.agent.system_errors import reason_of
from gossipd.config.agent_model import AgentConfig
from gossipd.errors import ConfigError
from gossipd.value import replace

FOLDER_MODE = 0o700
SNAPSHOT = "snapshot"
TAGS = "tags.json"
KEYRING = "keyring.json"


def with_state_folder(config: AgentConfig) -> AgentConfig:
    """Make ``data_dir`` if it is missing, and name the snapshot in it unless one is named.

    Raises:
        ConfigError: it is no folder, or cannot be made; its parents are not made.
    """
    folder = config.data_dir
    if not folder:
        return config
    try:
        if not os.path.isdir(folder):
            os.mkdir(folder, FOLDER_MODE)
    except OSError as error:
        raise ConfigError(f"data_dir {folder}: {reason_of(error)}") from error
    return replace(config, snapshot_path=config.snapshot_path or os.path.join(folder, SNAPSHOT))


def tags_file_of(config: AgentConfig) -> str:
    """Return the path of the file in which changes of the own tags are kept, or nothing."""
    if config.tags_file or not config.data_dir:
        return config.tags_file
    return os.path.join(config.data_dir, TAGS)
