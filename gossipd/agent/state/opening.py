"""What a start finds of the last run: keys, tags and services, and the folder they are in.

The snapshot is beside them; it is opened with the node (``keeping.py``), for it
must be locked while it is used.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gossipd.agent.state.folder import (
    epoch_file_of,
    services_file_of,
    tags_file_of,
    with_state_folder,
)
from gossipd.agent.state.key_source import key_source
from gossipd.agent.state.own_tags import OwnTags
from gossipd.config.agent_model import AgentConfig
from gossipd.value import replace
from gossipd.wire.meta_tail import meta_tail

if TYPE_CHECKING:
    from gossipd.agent.handlers.spec import Handler
    from gossipd.services.own import OwnServices


class State:
    """The configuration with what was kept put in, and where changes go.

    Attributes:
        config: its ``node`` has the keys and tags that hold.
        keyring_path: file of the keys, empty if they are not kept.
        tags: our own, and the file of their changes.
        scripts: the configured event handlers.
        epoch: which life of this node begins, for the catalog.
        services_path: file of the registered services, empty if they are not kept.
        services: what it has, if there is one.
        notes: level and text of what the operator should know.

    Raises:
        ConfigError: a file cannot be used, or a handler makes no sense.
    """

    def __init__(self, config: AgentConfig) -> None:
        config = with_state_folder(config)
        keys = key_source(config)
        tail = meta_tail(1) if config.node.catalog.enabled else b""
        self.tags = OwnTags(config.node.tags, tags_file_of(config), tail)
        node = replace(config.node, keys=keys.keys, tags=self.tags.current)
        self.config = replace(config, node=node)
        self.keyring_path = keys.path
        self.scripts = _scripts(config.event_handlers)
        self.notes = list(keys.notes)
        if self.tags.restored:
            text = f"agent: Restored {self.tags.restored} tag(s) from {self.tags.path}"
            self.notes.append(("INFO", text))
        self.epoch = self._next_epoch(epoch_file_of(config))
        self.services_path = services_file_of(config)
        self.services = self._kept_services()

    def _next_epoch(self, path: str) -> int:
        now_ms = int(1000 * time.time())
        if not path:
            return now_ms
        from gossipd.agent.state.epoch_file import next_epoch  # only where state is kept

        epoch, note = next_epoch(path, now_ms)
        if note:
            self.notes.append(("WARN", f"agent: {note}"))
        return epoch

    def _kept_services(self) -> OwnServices | None:
        if not self.services_path or not os.path.exists(self.services_path):
            return None
        from gossipd.agent.state.services_file import read_services  # likewise

        services, note = read_services(self.services_path)
        if note:
            self.notes.append(("ERR", f"agent: {note}"))
        return services


def _scripts(texts: Sequence[str]) -> Sequence[Handler]:
    if not texts:
        return ()
    from gossipd.agent.handlers.spec import parse_handlers  # only where there are handlers

    return parse_handlers(texts)
