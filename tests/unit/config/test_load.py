"""Files, environment and flags become one configuration; complaints name source and key."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gossipd.config.agent_model import AgentConfig
from gossipd.config.load import load_config
from gossipd.config.model import PROFILES
from gossipd.config.options import FILE_ONLY, OPTIONS
from gossipd.config.origin import ConfigFile
from gossipd.errors import ConfigError


def load(
    *files: ConfigFile,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> AgentConfig:
    return load_config(files, environment or {}, flags or {}, node_name="host")


def toml(text: str) -> ConfigFile:
    return ConfigFile("g.toml", text)


def serf_json(text: str) -> ConfigFile:
    return ConfigFile("serf.json", text)


def test_without_any_source_the_defaults_hold_and_the_host_names_the_node() -> None:
    config = load()
    assert config.node.name == "host"
    assert config.bind == "0.0.0.0:7946"
    assert config.node.swim == PROFILES["lan"][0]
    assert config.leave_on_terminate
    assert not config.skip_leave_on_interrupt


def test_flags_win_over_the_environment_and_that_over_files() -> None:
    file = toml('node_name = "f"\nbind = "127.0.0.1:1"\nlog_level = "warn"')
    environment = {"GOSSIPD_NODE_NAME": "e", "GOSSIPD_BIND": "127.0.0.1:2"}
    config = load(file, environment=environment, flags={"node_name": "x"})
    assert (config.node.name, config.bind, config.log_level) == ("x", "127.0.0.1:2", "WARN")


def test_lists_are_appended_and_tags_are_merged_across_sources() -> None:
    file = toml('start_join = ["a"]\n[tags]\nrole = "web"\ndc = "east"')
    config = load(
        file,
        environment={"GOSSIPD_START_JOIN": "b, c"},
        flags={"start_join": ("d",), "tags": ("dc=west", "note=a=b,c")},
    )
    assert config.start_join == ("a", "b", "c", "d")
    assert config.node.tags == {"role": "web", "dc": "west", "note": "a=b,c"}


def test_a_later_file_replaces_what_an_earlier_one_says() -> None:
    config = load(toml('profile = "wan"'), toml('profile = "local"'))
    assert config.node.swim == PROFILES["local"][0]
    assert config.node.wire.stream_timeout == 1.0


def test_single_timings_override_the_profile_and_leave_the_rest_of_it() -> None:
    config = load(
        toml('profile = "wan"\n[swim]\nprobe_interval = 7\n[serf]\nreap_interval = "1m30s"'),
        flags={"set": ("wire.packet_bytes_max=900", "swim.probe_timeout=250ms")},
        environment={"GOSSIPD_SWIM_GOSSIP_NODES": "6"},
    )
    assert config.node.swim.probe_interval == 7.0
    assert config.node.swim.probe_timeout == 0.25
    assert config.node.swim.gossip_nodes == 6
    assert config.node.swim.suspicion_mult == PROFILES["wan"][0].suspicion_mult
    assert config.node.serf.reap_interval == 90.0
    assert config.node.wire.packet_bytes_max == 900


def test_a_configuration_file_of_serf_is_understood() -> None:
    config = load(
        serf_json(
            """{"node_name": "s", "bind": "[::1]:9", "start_join": ["x:1"], "role": "db",
            "retry_interval": "45s", "reconnect_timeout": "72h", "protocol": 5,
            "disable_name_resolution": true, "enable_compression": false,
            "rpc_addr": "127.0.0.1:7373", "rpc_auth": "t", "leave_on_terminate": false,
            "encrypt_key": "AAAAAAAAAAAAAAAAAAAAAA==", "enable_syslog": false}"""
        )
    )
    assert config.node.name == "s"
    assert config.node.tags == {"role": "db"}
    assert config.warnings == ("'Role' has been replaced with 'Tags'",)
    assert config.retry_interval == 45.0
    assert config.node.serf.reconnect_timeout == 72 * 3600
    assert not config.node.serf.resolve_name_conflicts
    assert not config.node.wire.compression
    assert not config.leave_on_terminate
    assert config.node.keys == (bytes(16),)


def test_a_file_of_serf_may_have_any_name_and_say_null() -> None:
    text = '\n {"node_name": "a", "start_join": null,\n "bind": 3}'
    with pytest.raises(ConfigError, match=r"^serf\.conf:3: bind: 3 is not text"):
        load(ConfigFile("serf.conf", text))
    assert load(ConfigFile("serf.conf", text.replace("3", '"1.2.3.4"'))).start_join == ()


def test_the_flag_that_disables_compression_means_the_opposite_of_its_key() -> None:
    assert not load(flags={"enable_compression": "true"}).node.wire.compression
    assert load(flags={"enable_compression": "false"}).node.wire.compression
    assert not load(environment={"GOSSIPD_ENABLE_COMPRESSION": "no"}).node.wire.compression


def test_a_retry_interval_below_one_second_is_raised_with_a_warning() -> None:
    config = load(flags={"retry_interval": "10ms"})
    assert config.retry_interval == 1.0
    assert config.warnings == ("'RetryInterval' is too low. Setting to 1s",)


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        (toml("nodename = 'a'"), "g.toml:1: unknown key 'nodename'; did you mean 'node_name'?"),
        (toml("[swim]\nprobe_intervall = 1"), "g.toml:2: swim.probe_intervall: unknown key"),
        (toml("bind = 3"), "g.toml:1: bind: 3 is not text"),
        (toml("[swim]\nprobe_interval = 'soon'"), "g.toml:2: swim.probe_interval: 'soon' is not a"),
        (toml("swim = 1"), "g.toml:1: swim: 1 is not a table"),
        (toml("a b"), "g.toml:1:3: Error decoding 'g.toml': "),
        (toml(f"a = 1{'0' * 5000}"), "g.toml: Error decoding 'g.toml': "),
        (toml(f"a = {'[' * 5000}{']' * 5000}"), "g.toml: Error decoding 'g.toml': "),
        (serf_json("{"), "serf.json:1:2: Error decoding 'serf.json': "),
        (serf_json("[]"), "serf.json: Error decoding 'serf.json': it is not a JSON object"),
        (serf_json('{"statsd_addr": ":8125"}'), "serf.json:1: statsd_addr: ':8125' has no host"),
        (
            serf_json('{"statsite_addr": "sink.example.org"}'),
            "serf.json:1: statsite_addr: 'sink.example.org' names no port: write host:port",
        ),
        (serf_json('{"encrypt_key": "!"}'), "serf.json:1: encrypt_key: Invalid encryption key"),
        (
            serf_json('{"encrypt_key": "AAAA"}'),
            "serf.json:1: encrypt_key: Invalid encryption key: 3",
        ),
        (serf_json('{"leave_on_terminate": 3}'), "serf.json:1: leave_on_terminate: 3 is neither"),
        (serf_json('{"tags": {"a": 1}}'), "serf.json:1: tags.a: 1 is not text"),
        (
            toml("[mdns]\ninterfaces = 'x'"),
            "g.toml:2: unknown key 'mdns.interfaces'; did you mean 'mdns.interface'?",
        ),
        (toml("profile = 'moon'"), "g.toml:1: Unknown profile: moon"),
        (
            toml("log_level = 'loud'"),
            "g.toml:1: Invalid log level: LOUD. Valid log levels are: [TRACE",
        ),
        (toml("bind = ':1'"), "g.toml:1: bind: ':1' has no host"),
        (toml("rpc_addr = '1.2.3.4:x'"), "g.toml:1: rpc_addr: port 'x'"),
        (toml("socket = '127.0.0.1:7373'"), "g.toml:1: socket '127.0.0.1:7373' is not a path"),
        (toml("[swim]\nprobe_timeout = 9"), "g.toml:2: probe_timeout 9 is above probe_interval"),
        (toml("retry_max_attempts = -1"), "g.toml:1: retry_max_attempts: -1 is not a whole"),
    ],
)
def test_a_bad_setting_is_refused_by_source_and_key(file: ConfigFile, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"tags": ("noequals",)}, "--tag: Invalid tag: 'noequals'"),
        (
            {"set": ("probe_interval=1",)},
            "--set probe_interval=1: write swim|serf|wire|catalog|http|dns.",
        ),
        ({"set": ("swim.probe=1",)}, "--set swim.probe: unknown key 'probe'"),
        ({"retry_interval": "x"}, "--retry-interval: 'x' is not a duration"),
        ({"leave_timeout": "0"}, "--leave-timeout: leave_timeout is 0: it must be above 0"),
        (
            {"rpc_request_size_limit": "1023"},
            "--rpc-request-size-limit: rpc_request_size_limit is 1023: it must be within 1024..",
        ),
        (
            {"rpc_request_size_limit": "20000000"},
            "--rpc-request-size-limit: rpc_request_size_limit is 20000000: it",
        ),
    ],
)
def test_a_bad_flag_is_refused_by_its_name(flags: Mapping[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(flags=flags)
    assert str(caught.value).startswith(complaint)


def test_a_key_and_a_keyring_file_exclude_each_other() -> None:
    flags = {"encrypt_key": "AAAAAAAAAAAAAAAAAAAAAA==", "keyring_file": "k.json"}
    with pytest.raises(ConfigError, match="encrypt_key is not allowed together with keyring_file"):
        load(flags=flags)


def test_a_bad_environment_variable_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^GOSSIPD_SWIM_PROBES: unknown key 'probes'"):
        load(environment={"GOSSIPD_SWIM_PROBES": "1"})


def test_an_unknown_environment_variable_is_refused_unless_a_container_platform_set_it() -> None:
    with pytest.raises(ConfigError) as caught:
        load(environment={"GOSSIPD_ENCRYPT": "c2VjcmV0"})
    assert str(caught.value) == (
        "GOSSIPD_ENCRYPT: unknown setting; did you mean 'GOSSIPD_ENCRYPT_KEY'?"
    )
    platform = {"GOSSIPD_SERVICE_HOST": "10.0.0.1", "GOSSIPD_PORT_7946_UDP": "udp://10.0.0.1:7946"}
    load(environment={**platform, "GOSSIPD_EMPTY": ""})


def test_handlers_in_the_environment_stand_one_on_a_line() -> None:
    """Their filters have commas: split at those, a filter would become a script for everything."""
    variable = "member-join,member-leave=notify a,b\n\n  user:deploy=deploy.sh\n"
    config = load(environment={"GOSSIPD_EVENT_HANDLERS": variable})
    assert config.event_handlers == (
        "member-join,member-leave=notify a,b",
        "user:deploy=deploy.sh",
    )
    file = serf_json('{"event_handlers": "member-join,member-leave=x"}')
    assert load(file).event_handlers == ("member-join,member-leave=x",)


def test_a_bad_handler_is_refused_where_it_stands() -> None:
    file = toml('bind = "1.2.3.4"\nevent_handlers = ["user=ok", "x=y"]')
    flags = {"event_handlers": ("user=fine",)}
    with pytest.raises(ConfigError) as caught:
        load(file, flags=flags)
    assert str(caught.value) == (
        "g.toml:2: event_handlers: Invalid event script: Event 'x' invoking 'y'"
    )


def test_keys_without_a_flag_can_stand_in_the_environment_too() -> None:
    config = load(environment={"GOSSIPD_RECONNECT_INTERVAL": "7s"})
    assert config.node.serf.reconnect_interval == 7.0


def test_each_option_has_its_own_key_and_flag() -> None:
    keys = [option.key for option in (*OPTIONS, *FILE_ONLY)]
    flags = [option.flag for option in OPTIONS]
    assert len(set(keys)) == len(keys)
    assert len(set(flags)) == len(flags)
    assert all(option.flag and option.help for option in OPTIONS)
