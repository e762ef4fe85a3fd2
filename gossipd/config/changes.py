"""What a new configuration changes in a running daemon, and what waits for a restart (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import FIXED, CatalogConfig, NodeConfig, with_fixed
from gossipd.config.options import FILE_ONLY, OPTIONS
from gossipd.value import Value, fields_of, replace

LIVE = (
    "retry_join",
    "retry_interval",
    "retry_max_attempts",
    "replay_on_join",
    "log_level",
    "leave_on_terminate",
    "skip_leave_on_interrupt",
    "leave_timeout",
)
"""Fields of ``AgentConfig`` that any running agent can follow."""
SERVICES = ("services", "services_dir", "drain_on_leave")
"""Fields of ``AgentConfig`` that an agent with a catalog can follow."""
CATALOG = tuple(field for field in fields_of(CatalogConfig) if field not in FIXED["catalog"])
"""Fields of ``catalog`` that it can follow."""
HANDLERS = ("event_handlers", "handler_timeout", "handlers_max")
VERIFICATION = ("verify_incoming", "verify_outgoing")
"""Fields of ``wire`` that a node with keys can follow."""
FACES = ("http", "dns")
"""Sections that are only read at the start."""
_SILENT = ("node", "warnings", "profile", "protocol", "validate_node_names")
"""Fields that do nothing by themselves while the daemon runs."""


class Changes(Value):
    """What comes of a new configuration; names are keys as files have them.

    ``config`` is what runs from now on: the new one, but for what cannot change.
    """

    config: AgentConfig
    applied: tuple[str, ...]
    needs_restart: tuple[str, ...]


class TagChange(Value):
    """Names of the tags that a new configuration changes, and of those left as they are.

    ``kept`` are tags that the configuration changed although somebody changed them
    at run time: what was said last by hand holds.
    """

    applied: tuple[str, ...]
    kept: tuple[str, ...]


def changes(
    old: AgentConfig,
    new: AgentConfig,
    *,
    live: tuple[str, ...] = LIVE,
    live_wire: tuple[str, ...] = (),
    live_catalog: tuple[str, ...] = (),
) -> Changes:
    """Compare what runs with what is wanted; tags are looked at by ``tag_changes``.

    Args:
        old: as it runs.
        new: as it is wanted; checked.
        live: fields of ``AgentConfig`` that this agent can follow.
        live_wire: fields of its ``wire`` section that it can follow.
        live_catalog: likewise of its ``catalog`` section.
    """
    applied: list[str] = []
    waiting: list[str] = []
    keys = {option.target: option.key for option in (*FILE_ONLY, *OPTIONS)}
    keys["services"] = "service"
    for field in fields_of(AgentConfig):
        if field not in (*_SILENT, *FACES) and getattr(old, field) != getattr(new, field):
            (applied if field in live else waiting).append(keys[field])
    if old.node.name != new.node.name:
        waiting.append("node_name")
    if old.node.keys != new.node.keys:
        waiting.append("encrypt_key")
    running = with_fixed(old.node, new.node.swim, new.node.serf)
    live_fields = {
        "swim": _not_fixed("swim", new.node.swim),
        "serf": _not_fixed("serf", new.node.serf),
        "wire": live_wire,
        "catalog": live_catalog,
    }
    for section, can_change in live_fields.items():
        before, after = getattr(old.node, section), getattr(new.node, section)
        for field in fields_of(before):
            if getattr(before, field) != getattr(after, field):
                (applied if field in can_change else waiting).append(f"{section}.{field}")
    for section in FACES:
        before, after = getattr(old, section), getattr(new, section)
        for field in fields_of(before):
            if getattr(before, field) != getattr(after, field):
                waiting.append(f"{section}.{field}")
    taken = {field: getattr(new, field) for field in (*live, *_SILENT) if field != "node"}
    wire = {field: getattr(new.node.wire, field) for field in live_wire}
    catalog = {field: getattr(new.node.catalog, field) for field in live_catalog}
    node: NodeConfig = replace(
        running,
        tags=new.node.tags,
        wire=replace(old.node.wire, **wire),
        catalog=replace(old.node.catalog, **catalog),
    )
    return Changes(replace(old, node=node, **taken), tuple(applied), tuple(waiting))


def _not_fixed(section: str, values: Value) -> tuple[str, ...]:
    return tuple(field for field in fields_of(values) if field not in FIXED[section])


def tag_changes(
    old: Mapping[str, str],
    new: Mapping[str, str],
    before: Mapping[str, str],
    after: Mapping[str, str],
) -> TagChange:
    """Return what becomes of the tags.

    Args:
        old: what the configuration said before.
        new: what it says now.
        before: what the node has, with what was changed at run time.
        after: what it will have.
    """
    gone = (tag for tag in before if tag not in after)
    applied = tuple(tag for tag in (*after, *gone) if after.get(tag) != before.get(tag))
    kept = tuple(
        tag
        for tag in dict.fromkeys((*old, *new))
        if new.get(tag) != old.get(tag) and after.get(tag) != new.get(tag)
    )
    return TagChange(applied, kept)
