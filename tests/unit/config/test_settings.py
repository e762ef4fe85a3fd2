"""What holds and who said so; shown as a file that means the same."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from gossipd.config.load import Loaded, examine, load
from gossipd.config.origin import ConfigFile
from gossipd.config.settings import Setting, as_toml, settings_of

FILE = ConfigFile(
    "g.toml",
    'profile = "wan"\nretry_join = ["a"]\nrpc_auth = "s3cret"\n'
    'encrypt_key = "AAAAAAAAAAAAAAAAAAAAAA=="\n[tags]\ndc = "east"\n[swim]\ngossip_nodes = 6\n',
)


def loaded(*files: ConfigFile, **flags: object) -> Loaded:
    return load(files, {"GOSSIPD_RETRY_JOIN": "b", "GOSSIPD_SWIM_PROBE_TIMEOUT": "1s"}, flags,
                node_name="host")  # fmt: skip


def by_name(settings: tuple[Setting, ...]) -> dict[str, Setting]:
    return {".".join(p for p in (s.table, s.key) if p): s for s in settings}


def test_each_value_names_its_source() -> None:
    found = by_name(settings_of(loaded(FILE, tags=("role=web",), set=("swim.indirect_checks=2",))))
    origins = {key: setting.origin for key, setting in found.items()}
    assert origins["profile"] == "g.toml:1"
    assert origins["retry_join"] == "g.toml:2, GOSSIPD_RETRY_JOIN"
    assert found["retry_join"].value == ("a", "b")
    assert origins["tags.dc"] == "g.toml:6"
    assert origins["tags.role"] == "--tag"
    assert origins["swim.gossip_nodes"] == "g.toml:8"
    assert origins["swim.probe_timeout"] == "GOSSIPD_SWIM_PROBE_TIMEOUT"
    assert origins["swim.indirect_checks"] == "--set swim.indirect_checks"
    assert origins["swim.suspicion_mult"] == "profile wan"
    assert origins["swim.stream_ping"] == "default"
    assert origins["bind"] == "default"


def test_secrets_are_hidden_and_not_fed_back() -> None:
    settings = settings_of(loaded(FILE))
    text = as_toml(settings)
    assert "s3cret" not in text
    assert "AAAA" not in text
    assert by_name(settings)["rpc_auth"].value == "(hidden)"
    assert '# rpc_auth = "(hidden)"  # g.toml:3\n' in text
    assert not {"rpc_auth", "encrypt_key"} & set(tomllib.loads(text))


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        max_size=3,
    )
)
def test_what_is_shown_means_the_same_when_it_is_read_again(tags: dict[str, str]) -> None:
    lines = ('profile = "local"', 'leave_timeout = "90m"', "validate_node_names = true")
    first = load([ConfigFile("a.toml", "\n".join(lines))], {}, {}, node_name="host")
    first.config.node.tags = tags  # type: ignore[misc]
    again = load([ConfigFile("b.toml", as_toml(settings_of(first)))], {}, {}, node_name="other")
    assert again.config == first.config


def test_all_that_is_wrong_is_told_with_its_line() -> None:
    one = ConfigFile("a.toml", 'nodename = "x"\n\n[swim]\nprobe_intervall = 1\n[tags]\na = 1\n')
    two = ConfigFile("b.json", '{"bind": 1,\n"mdns": {"iface": "x"}}')
    three = ConfigFile("c.toml", "bind =\n")
    found, complaints = examine([one, two, three], {"GOSSIPD_LOG": "x"}, {}, node_name="h")
    assert found is None
    places = [str(complaint).partition(" ")[0] for complaint in complaints]
    assert places == [
        "a.toml:1:",
        "a.toml:4:",
        "a.toml:6:",
        "b.json:1:",
        "b.json:2:",
        "c.toml:1:7:",
        "GOSSIPD_LOG:",
    ]


def test_values_that_do_not_go_together_are_placed_at_the_key_that_is_named_first() -> None:
    file = ConfigFile("a.toml", 'bind = "127.0.0.1:1"\n[swim]\nprobe_timeout = 9')
    _, (complaint,) = examine([file], {}, {}, node_name="h")
    assert str(complaint).startswith("a.toml:3: probe_timeout 9 is above probe_interval")


def test_keys_of_serfs_files_that_were_refused_once_are_obeyed() -> None:
    text = (
        '{"interface": "eth1", "protocol": 4, "validate_node_names": true,'
        ' "discover": "blue", "mdns": {"interface": "eth0", "disable_ipv6": true}}'
    )
    config = load([ConfigFile("s.json", text)], {}, {"role": "db"}, node_name="a-1.x").config
    assert (config.interface, config.mdns_interface) == ("eth1", "eth0")
    assert (config.mdns_disable_ipv4, config.mdns_disable_ipv6) == (False, True)
    assert config.validate_node_names
    assert config.node.tags == {"role": "db"}
    assert "gossipd speaks protocol 5, not 4" in config.warnings


def test_values_of_these_keys_that_cannot_work_are_refused() -> None:
    for text, complaint in (
        ("protocol = 6", "protocol is 6: it must be within 2..5"),
        ("protocol = 1", "protocol is 1"),
        ("validate_node_names = true\nnode_name = 'a_b'", "node_name 'a_b': validate_node_names"),
        (f"validate_node_names = true\nnode_name = '{'a' * 129}'", "node_name has 129 characters"),
        ("discover = 'a..b'", "discover 'a..b': a part between dots"),
        ("discover = '" + "x" * 58 + "'", "discover 'xxx"),
        ("discover = 'x'\nmdns_disable_ipv4 = true\nmdns_disable_ipv6 = true", "mdns_disable_ipv4"),
        ("mdns_interface = 'eth0'", "mdns_interface is of no use without discover"),
    ):
        _, (found,) = examine([ConfigFile("a.toml", text)], {}, {}, node_name="h")
        assert found.text.startswith(complaint)
        assert found.origin.line, found
