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
SERVICES = "services.json"
EPOCH = "catalog-epoch"


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


def services_file_of(config: AgentConfig) -> str:
    """Return the path of the file in which registered services are kept, or nothing."""
    return _of_catalog(config, SERVICES)


def epoch_file_of(config: AgentConfig) -> str:
    """Return the path of the file that remembers the catalog's epoch, or nothing."""
    return _of_catalog(config, EPOCH)


def _of_catalog(config: AgentConfig, name: str) -> str:
    if not config.data_dir or not config.node.catalog.enabled:
        return ""
    return os.path.join(config.data_dir, name)
