"""What a new configuration changes, what waits for a restart, and which tags survive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossipd.config.agent_model import AgentConfig
from gossipd.config.changes import (
    CATALOG,
    HANDLERS,
    LIVE,
    SERVICES,
    VERIFICATION,
    changes,
    tag_changes,
)
from gossipd.config.model import (
    PROFILES,
    CatalogConfig,
    NodeConfig,
    SerfConfig,
    SwimConfig,
    WireConfig,
)
from gossipd.services.definition import Service
from gossipd.value import fields_of, replace

OLD = AgentConfig(node=NodeConfig(name="a"))


def test_nothing_changed_is_nothing() -> None:
    found = changes(OLD, AgentConfig(node=NodeConfig(name="a")))
    assert (found.applied, found.needs_restart) == ((), ())
    assert found.config == OLD


def test_what_can_change_is_applied_and_the_rest_is_named_and_stays() -> None:
    node = NodeConfig(
        name="b",
        keys=(bytes(16),),
        swim=SwimConfig(probe_interval=2.0, round_robin=False),
        serf=SerfConfig(reap_interval=3.0, event_buffer=7),
        wire=WireConfig(label="x"),
    )
    new = replace(OLD, node=node, bind="127.0.0.1:1", log_level="DEBUG", retry_join=("x",),
                  event_handlers=("y",), statsd_addr="s:1", statsite_addr="s:2")  # fmt: skip
    found = changes(OLD, new)
    assert set(found.applied) == {
        "log_level", "retry_join", "swim.probe_interval", "serf.reap_interval",
    }  # fmt: skip
    assert set(found.needs_restart) == {
        "node_name", "encrypt_key", "bind", "event_handlers", "statsd_addr", "statsite_addr",
        "swim.round_robin", "serf.event_buffer", "wire.label",
    }  # fmt: skip
    config = found.config
    assert (config.node.name, config.bind, config.log_level) == ("a", OLD.bind, "DEBUG")
    assert config.node.swim == SwimConfig(probe_interval=2.0)
    assert config.node.serf == SerfConfig(reap_interval=3.0)
    assert config.node.wire == WireConfig()


def test_handlers_are_applied_where_the_agent_can() -> None:
    found = changes(OLD, replace(OLD, handlers_max=3), live=(*LIVE, *HANDLERS))
    assert found.applied == ("handlers_max",)
    assert found.config.handlers_max == 3


def test_services_and_some_of_the_catalog_are_applied_where_the_agent_can() -> None:
    catalog = CatalogConfig(zone="b", check_runs_max=2, records_max=7)
    new = replace(
        OLD,
        node=NodeConfig(name="a", catalog=catalog),
        services=(Service(id="web", name="web"),),
        services_dir="/x",
    )
    waiting = changes(OLD, new).needs_restart
    assert set(waiting) == {
        "service", "services_dir", "catalog.zone", "catalog.check_runs_max", "catalog.records_max",
    }  # fmt: skip
    found = changes(OLD, new, live=(*LIVE, *SERVICES), live_catalog=CATALOG)
    assert found.needs_restart == ()
    assert found.config.services == new.services
    assert found.config.node.catalog == catalog
    off = replace(OLD, node=NodeConfig(name="a", catalog=CatalogConfig(enabled=False)))
    found = changes(OLD, off, live=(*LIVE, *SERVICES), live_catalog=CATALOG)
    assert found.needs_restart == ("catalog.enabled",)
    assert found.config == OLD


def test_verification_is_applied_where_the_agent_can() -> None:
    wire = WireConfig(verify_incoming=False, label="x")
    new = replace(OLD, node=NodeConfig(name="a", wire=wire))
    assert changes(OLD, new).needs_restart == ("wire.label", "wire.verify_incoming")
    found = changes(OLD, new, live_wire=VERIFICATION)
    assert (found.applied, found.needs_restart) == (("wire.verify_incoming",), ("wire.label",))
    assert found.config.node.wire == WireConfig(verify_incoming=False)


def test_another_profile_is_its_timings() -> None:
    swim, wire = PROFILES["wan"]
    wan = replace(OLD, profile="wan", node=NodeConfig(name="a", swim=swim, wire=wire))
    found = changes(OLD, wan)
    assert found.needs_restart == ("wire.stream_timeout",)
    assert "swim.probe_interval" in found.applied
    assert found.config.node.swim == swim


def test_every_field_that_is_said_to_be_live_exists() -> None:
    assert {*LIVE, *HANDLERS} <= set(fields_of(AgentConfig))


TAGS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"))


@given(TAGS, TAGS, TAGS, TAGS)
def test_tags_are_named_that_change_or_are_kept_against_the_configuration(
    old: dict[str, str], new: dict[str, str], before: dict[str, str], after: dict[str, str]
) -> None:
    found = tag_changes(old, new, before, after)
    for tag in "abcd":
        assert (tag in found.applied) == (before.get(tag) != after.get(tag))
        changed = new.get(tag) != old.get(tag)
        assert (tag in found.kept) == (changed and after.get(tag) != new.get(tag))
    assert tag_changes(new, new, after, after) == tag_changes({}, {}, {}, {})
