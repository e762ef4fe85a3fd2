"""Services in files: where they may stand, and where what is wrong with them stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.config.load import Loaded, examine, load
from gossipd.config.origin import ConfigFile, Origin
from gossipd.errors import ConfigError
from gossipd.services.definition import Service

WEB = '[[service]]\nname = "web"\nport = 80\n'


def loaded(*files: ConfigFile, services: tuple[ConfigFile, ...] = (), **flags: object) -> Loaded:
    return load(files, {}, flags, node_name="host", services=services)


def complaints(*files: ConfigFile, services: tuple[ConfigFile, ...] = ()) -> list[str]:
    found, said = examine(files, {}, {}, node_name="host", services=services)
    assert (found is None) == bool(said)
    return [str(complaint) for complaint in said]


def names(found: Loaded) -> list[str]:
    return [service.id for service in found.config.services]


def test_services_stand_in_files_of_the_configuration_and_in_those_of_their_own() -> None:
    found = loaded(
        ConfigFile("g.toml", f'node_name = "a"\n{WEB}'),
        ConfigFile("g.json", '{"services": [{"name": "db"}], "service": {"name": "mail"}}'),
        services=(
            ConfigFile("d/one.toml", 'name = "one"\n[check]\nttl = "5s"\n'),
            ConfigFile("d/two.json", '{"service": [{"name": "two"}, {"name": "three"}]}'),
        ),
    )
    assert names(found) == ["web", "db", "mail", "one", "two", "three"]
    assert found.config.services[0] == Service(id="web", name="web", port=80)
    assert found.origins["service.web"] == (Origin("g.toml", 2),)
    assert found.config.services[3].checks[0].ttl == 5.0


def test_without_services_nothing_is_registered() -> None:
    assert loaded(ConfigFile("g.toml", "")).config.services == ()
    assert loaded(ConfigFile("g.toml", "service = []")).config.services == ()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"{WEB}[[service]]\nport = 1\n", 4, "service: name: missing"),
        (f"{WEB}tags = 3\n", 4, "service: tags: "),
        (f"{WEB}[service.meta]\na = '1'\nb = []\n", 6, "service: meta.b"),
        (f"{WEB}[[service.checks]]\nttl = 1\n[[service.checks]]\nttl = 'x'\n", 7, "checks[1].ttl"),
        (
            f"{WEB}[service.meta]\na = '1'\nexternal-node = 'b'\n",
            6,
            "service: meta.external-node: it marks nodes without an agent",
        ),
        (f"{WEB}prot = 1\n", 4, "service: prot: unknown field; did you mean 'port'?"),
        ("service = 3", 1, "service: 3 is not a table"),
        ("service = [1]", 1, "service: 1 is not a table"),
        ("services = 'x'", 1, "services: 'x' is not a table"),
        (f"{WEB}{WEB}", 4, "service: id: 'web' is taken by the one at g.toml:1"),
        (
            f"{WEB}check = {{id = 'c', ttl = 1}}\n[[service]]\nname = 'b'\n"
            "check = {id = 'c', ttl = 1}\n",
            5,
            "service: checks: the id 'c' is taken by one at g.toml:1; give it another id",
        ),
    ],
)
def test_a_complaint_names_file_line_and_field(text: str, line: int, words: str) -> None:
    (said,) = complaints(ConfigFile("g.toml", text))
    assert said.startswith(f"g.toml:{line}: ")
    assert words in said


def test_all_complaints_are_told_also_of_json_and_of_files_of_their_own() -> None:
    said = complaints(
        ConfigFile("g.toml", "bnd = 1\n"),
        ConfigFile("g.json", '{"service": [{"name": "a"},\n {"name": "b",\n "port": -1}]}'),
        services=(
            ConfigFile("d/a.toml", "x = ["),
            ConfigFile("d/b.toml", 'name = "a"\n'),
            ConfigFile("d/c.toml", f"bind = 3\n{WEB}"),
        ),
    )
    assert [line.partition(": ")[0] for line in said] == [
        "g.toml:1", "d/a.toml:1", "g.json:3", "d/b.toml:1", "d/c.toml:1",
    ]  # fmt: skip
    assert "here are only [[service]] tables" in said[-1]


def test_what_the_node_cannot_hold_is_refused_at_the_start() -> None:
    for key, words in (
        ("records_max", "catalog.records_max is 1: the files have 2 services"),
        ("checks_max", "catalog.checks_max is 1: the files have 2 checks"),
    ):
        file = ConfigFile(
            "g.toml",
            f"[catalog]\n{key} = 1\n{WEB}checks = [{{tcp = 'a:2'}}, {{ttl = 3}}, {{tcp = 'a:1'}}]\n"
            "[[service]]\nname = 'b'\n",
        )
        assert complaints(file) == [f"g.toml:2: {words}"]
    off = ConfigFile("g.toml", f"[catalog]\nenabled = false\n{WEB}")
    with pytest.raises(ConfigError, match=r"^g.toml:2: catalog.enabled is false"):
        loaded(off)


def test_the_catalog_is_a_section_like_others() -> None:
    found = load(
        [ConfigFile("g.toml", 'zone = "a"\n[catalog]\nguard_share = 0.25\n')],
        {"GOSSIPD_CATALOG_CHECK_RUNS_MAX": "7", "GOSSIPD_ZONE": "b"},
        {"set": ("catalog.output_interval=2m",)},
        node_name="host",
    )
    catalog = found.config.node.catalog
    assert (catalog.zone, catalog.guard_share, catalog.check_runs_max, catalog.output_interval) == (
        "b", 0.25, 7, 120.0,
    )  # fmt: skip
    assert complaints(ConfigFile("g.toml", '[catalog]\nguard_share = "10s"\n')) == [
        "g.toml:2: catalog.guard_share: '10s' is not a number from 0 on"
    ]
    assert complaints(ConfigFile("g.toml", "[catalog]\n\ntombstone_timeout = 0\n")) == [
        "g.toml:3: catalog.tombstone_timeout is 0: it must be above 0"
    ]
    long = "z" * 200
    assert complaints(ConfigFile("g.toml", f'zone = "{long}"\n'))[0].startswith("g.toml:1: zone ")


WORDS = st.sampled_from(
    ["name", "id", "port", "tags", "meta", "checks", "check", "ttl", "http", "script", "interval",
     "needs", "weight", "tagged_addresses", "address", "service", "services", "prot", ""]
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["web", "5s", "/health", "10.0.0.1", "10.0.0.1:80"])
)
TABLES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)


@given(TABLES, st.dictionaries(WORDS, TABLES, max_size=5), st.sampled_from([None, 1]))
def test_whatever_stands_there_is_a_service_or_a_complaint_with_its_line(
    value: object, alone: dict[str, object], indent: int | None
) -> None:
    file = ConfigFile("g.json", json.dumps({"service": value}, indent=indent))
    own = ConfigFile("d/s.json", json.dumps(alone, indent=indent))
    found, said = examine([file], {}, {}, node_name="host", services=[own])
    assert (found is None) == bool(said)
    for complaint in said:
        (whose,) = [one for one in (file, own) if one.name == complaint.origin.name]
        assert 1 <= complaint.origin.line <= whose.text.count("\n") + 1
        assert len(str(complaint)) < 1000
