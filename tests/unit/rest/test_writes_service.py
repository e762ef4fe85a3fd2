"""Registering and deregistering services in Consul's words."""

from __future__ import annotations

import pytest

from gossipd.config.faces import HttpConfig
from gossipd.config.model import CatalogConfig
from gossipd.services.definition import CheckDefinition, Service
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG, OwnService
from support.core_handle import CoreHandle
from support.rest_writes import Writer

REGISTER = "/v1/agent/service/register"
DEREGISTER = "/v1/agent/service/deregister/"


def own(writer: Writer) -> dict[str, OwnService]:
    return {one.service.id: one for one in writer.handle.own_services().services}


async def registered(body: object, target: str = REGISTER) -> Service:
    writer = Writer()
    assert await writer.said(target, body) == (200, "")
    (one,) = own(writer).values()
    assert one.source == FROM_CLIENT
    return one.service


async def test_a_name_is_enough() -> None:
    assert await registered({"Name": "web"}) == Service(id="web", name="web")


@pytest.mark.parametrize("key", ["external-node", "External-Node"])
async def test_nobody_registers_for_another_node_by_the_mark_of_those_without_an_agent(
    key: str,
) -> None:
    writer = Writer()
    status, text = await writer.said(REGISTER, {"Name": "web", "ID": "b/web", "Meta": {key: "b"}})
    if key == "external-node":
        assert (status, "catalog/register" in text) == (400, True)
        assert own(writer) == {}
    else:
        assert status == 200


async def test_keys_of_meta_are_named_as_they_came() -> None:
    _, text = await Writer().said(REGISTER, {"Name": "web", "Meta": {"ver_sion": "a\ud800"}})
    assert text.startswith("Meta.ver_sion: ")


async def test_all_fields_of_a_service_are_taken() -> None:
    service = await registered(
        {
            "ID": "web-a",
            "Name": "web",
            "Tags": ["http", "blue", "http", ""],
            "Address": "127.0.0.61",
            "Port": 9001,
            "Meta": {"Version": "2.1", "under_score": ""},
            "TaggedAddresses": {"lan_X": {"Address": "127.0.0.61", "Port": 1}},
            "Weights": {"Passing": 10, "Warning": 0},
            "EnableTagOverride": True,
            "Kind": "",
            "Connect": {},
            "Proxy": {"Config": {}, "Port": 0},
            "Namespace": "default",
            "Partition": "",
            "WriteRequest": {"Token": "x"},
        }
    )
    assert service == Service(
        id="web-a",
        name="web",
        tags=("http", "blue"),
        address="127.0.0.61",
        port=9001,
        meta={"Version": "2.1", "under_score": ""},
        tagged_addresses={"lan_X": ("127.0.0.61", 1)},
        weight=10,
        warning_weight=0,
    )


@pytest.mark.parametrize(
    "body",
    [
        {"name": "web", "id": "w", "port": 1, "tagged_addresses": {"lan": {"address": "::1"}},
         "check": {"ttl": "9s", "DeregisterCriticalServiceAfter": "90m"}},
        {"Name": "web", "ID": "w", "Port": 1, "TaggedAddresses": {"lan": {"Address": "::1"}},
         "Check": None, "Checks": [{"TTL": "9s", "deregistercriticalserviceafter": "1h30m"}]},
        {"NAME": "web", "i_d": "w", "port": "1", "taggedaddresses": {"lan": {"ADDRESS": "::1"}},
         "checks": [{"ttl": 9 * 10**9, "deregister_critical_service_after": 5400 * 10**9}]},
    ],
)  # fmt: skip
async def test_the_same_in_all_spellings(body: object) -> None:
    assert await registered(body) == Service(
        id="w",
        name="web",
        port=1,
        tagged_addresses={"lan": ("::1", 0)},
        checks=(
            CheckDefinition(
                id="service:w", name="Service 'web' check", ttl=9.0, deregister_after=5400.0
            ),
        ),
    )


async def test_null_is_absent() -> None:
    nothing = dict.fromkeys(
        ("ID", "Tags", "Address", "Port", "Meta", "TaggedAddresses", "Weights", "Check",
         "Checks", "Kind", "Connect", "Proxy", "Namespace", "EnableTagOverride")
    )  # fmt: skip
    assert await registered(nothing | {"Name": "web"}) == Service(id="web", name="web")


async def test_weights_of_zero_are_what_go_says_when_it_says_nothing() -> None:
    service = await registered({"Name": "web", "Weights": {"Passing": 0, "Warning": 0}})
    assert (service.weight, service.warning_weight) == (1, 1)


async def test_ids_of_checks_are_those_that_clients_count_on() -> None:
    one = await registered({"Name": "web", "ID": "web-a", "Check": {"TTL": "9s"}, "Checks": []})
    assert [check.id for check in one.checks] == ["service:web-a"]
    assert one.checks[0].name == "Service 'web' check"
    several = await registered(
        {
            "Name": "web",
            "ID": "web-a",
            "Check": {"TTL": "9s"},
            "Checks": [{"TTL": "8s"}, {"CheckID": "own", "Name": "mine", "TTL": "7s"}],
        }
    )
    assert [(check.id, check.ttl) for check in several.checks] == [
        ("service:web-a:1", 9.0),
        ("service:web-a:2", 8.0),
        ("own", 7.0),
    ]
    assert several.checks[2].name == "mine"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Missing service name"),
        ({"ID": "a"}, "Missing service name"),
        ({"Name": ""}, "Missing service name"),
        ({"Name": 7}, "Name: 7 is not text"),
        ({"Name": "w", "Port": 65536}, "Port: 65536 is not a whole number within 0..65535"),
        ({"Name": "w", "Port": -1}, "Port: -1 is not a whole number within 0..65535"),
        ({"Name": "w", "Port": True}, "Port: True is not a whole number within 0..65535"),
        ({"Name": "w", "Address": "0.0.0.0"}, "Invalid service address"),
        ({"Name": "w", "Address": "::"}, "Invalid service address"),
        ({"Name": "w", "Tags": "x y", "tags": ["z"]}, "tags: is there twice"),
        ({"Name": "w", "Tags": [1]}, "Tags[0]: 1 is not text"),
        ({"Name": "w", "Tags": {}}, "Tags: an object is not a list of texts"),
        ({"Name": "w", "Meta": {"a b": "1"}},
         "Invalid Service Meta: key 'a b': only A-Z, a-z, 0-9, _ and -"),
        ({"Name": "w", "Meta": {"a": "x" * 513}},
         "Invalid Service Meta: a: at most 512 characters"),
        ({"Name": "w", "Meta": {"a" * 129: ""}},
         "Invalid Service Meta: keys have 1 to 128 characters"),
        ({"Name": "w", "Meta": {f"k{i}": "" for i in range(65)}},
         "Invalid Service Meta: 65 pairs, at most 64 are taken"),
        ({"Name": "w", "Meta": {"a": 1}}, "Meta.a: 1 is not text"),
        ({"Name": "w", "Weights": {"Passing": 0, "Warning": 1}},
         "Invalid Weights: Passing must be within 1..65535"),
        ({"Name": "w", "Weights": {"Passing": 1, "Warning": -1}},
         "Invalid Weights: Warning must be within 0..65535"),
        ({"Name": "w", "Weights": {"Passing": "9"}},
         "Invalid Weights: Passing must be within 1..65535"),
        ({"Name": "w", "EnableTagOverride": "yes"},
         "EnableTagOverride: 'yes' is neither true nor false"),
        ({"Name": "w", "Kind": "connect-proxy"},
         "Kind: gossipd offers no service mesh; leave it out"),
        ({"Name": "w", "Connect": {"Native": True}},
         "Connect: gossipd offers no service mesh; leave it out"),
        ({"Name": "w", "Proxy": {"DestinationServiceName": "x"}},
         "Proxy: gossipd offers no service mesh; leave it out"),
        ({"Name": "w", "SocketPath": "/s", "Port": 1},
         "SocketPath: services have an Address and a Port here"),
        ({"Name": "w", "Namespace": "team"},
         "Namespace: gossipd has none; leave it out, or say default"),
        ({"Name": "w", "Partition": "p"},
         "Partition: gossipd has none; leave it out, or say default"),
        ({"Name": "w", "TaggedAddresses": {"lan": {"Address": ""}}},
         "TaggedAddresses.lan.Address: missing; give an IP address or a host name"),
        ({"Name": "w", "TaggedAddresses": {"lan": "::1"}},
         "TaggedAddresses.lan: '::1' is not an object"),
        ({"Name": " w"}, "Name: ' w' begins or ends with a space"),
        ({"Name": "w", "Address": "a b"},
         "Address: 'a b' is neither an IP address nor a host name"),
        ({"Name": "w", "Check": [{"TTL": "9s"}]}, "Check: a list is not an object"),
        ({"Name": "w", "Checks": {"TTL": "9s"}}, "Checks: an object is not a list of objects"),
        ({"Name": "w", "Checks": ["x"]}, "Checks[0]: 'x' is not an object"),
        ({"Name": "w", "Checks": [{"CheckID": "c", "TTL": "1s"}] * 2},
         "Checks[1].ID: 'c' is taken by a check before it"),
        ([1], "Request decode failed: a list is not a JSON object"),
        (b"", "Request decode failed: the body is empty, a JSON object is taken"),
        (b"\xff", "Request decode failed: the body is not UTF-8"),
        (b"[" * 100_000, "Request decode failed: nested too deeply"),
        (b'{"Name": "w", "x":' + b"[" * 40 + b"]" * 40 + b"}",
         "Request decode failed: nested more than 32 deep"),
        (b'{"Name": NaN}', "Request decode failed: NaN is no number of JSON"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_by_its_name(body: object, text: str) -> None:
    writer = Writer()
    assert await writer.said(REGISTER, body) == (400, text)
    assert len(text.encode()) < 80
    assert not own(writer)


async def test_a_body_that_is_too_long_is_not_read() -> None:
    status, text = await Writer().said(REGISTER, b" " * (256 * 1024 + 1))
    assert (status, text) == (413, "body: at most 262144 bytes are taken")


async def test_registering_again_keeps_checks_that_are_not_mentioned() -> None:
    writer = Writer()
    both = {"Name": "web", "Checks": [{"CheckID": "a", "TTL": "9s"}, {"CheckID": "b", "TTL": "9s"}]}
    await writer.put(REGISTER, both)
    await writer.put(REGISTER, {"Name": "web", "Port": 2, "Check": {"CheckID": "b", "TTL": "7s"}})
    service = own(writer)["web"].service
    assert [(check.id, check.ttl) for check in service.checks] == [("a", 9.0), ("b", 7.0)]
    assert service.port == 2


@pytest.mark.parametrize("flag", ["replace-existing-checks", "replace-existing-checks=true"])
async def test_with_the_flag_they_go(flag: str) -> None:
    writer = Writer()
    await writer.put(REGISTER, {"Name": "web", "Check": {"TTL": "9s"}})
    await writer.put(f"{REGISTER}?{flag}", {"Name": "web", "Check": {"CheckID": "b", "TTL": "9s"}})
    assert [check.id for check in own(writer)["web"].service.checks] == ["b"]
    await writer.put(f"{REGISTER}?{flag}", {"Name": "web"})
    assert own(writer)["web"].service.checks == ()


@pytest.mark.parametrize("flag", ["", "?replace-existing-checks"])
async def test_a_check_that_stays_as_it_was_keeps_its_status(flag: str) -> None:
    writer = Writer()
    body = {"Name": "web", "Check": {"TTL": "30s"}}
    await writer.put(REGISTER, body)
    await writer.put("/v1/agent/check/pass/service:web?note=fine")
    await writer.put(REGISTER + flag, body | {"Port": 9})
    assert own(writer)["web"].checks[0].status == "passing"
    await writer.put(REGISTER + flag, body | {"Check": {"TTL": "31s"}})
    assert own(writer)["web"].checks[0].status == "critical"


async def test_flags_follow_go() -> None:
    said = await Writer().said(f"{REGISTER}?replace-existing-checks=yes", {"Name": "w"})
    assert said == (400, "Invalid value for ?replace-existing-checks")


async def test_what_dns_cannot_carry_is_taken_and_logged() -> None:
    writer = Writer()
    assert await writer.said(REGISTER, {"Name": "my service"}) == (200, "")
    assert len(writer.lines) == 1
    assert "cannot be asked for by DNS" in writer.lines[0]


async def test_deregistering() -> None:
    writer = Writer()
    await writer.put(REGISTER, {"Name": "web", "ID": "a/b:c"})
    assert await writer.said(f"{DEREGISTER}a%2Fb:c") == (200, "")
    assert not own(writer)
    status, text = await writer.said(f"{DEREGISTER}ghost")
    assert status == 404
    assert text == (
        'Unknown service ID "ghost". Ensure that the service ID is passed, not the service name.'
    )


async def test_what_a_file_registers_is_not_replaced() -> None:
    writer = Writer()
    writer.handle.register_service(Service(id="web", name="web"), FROM_CONFIG)
    status, text = await writer.said(REGISTER, {"Name": "web", "Port": 1})
    assert (status, text[:52]) == (400, "service id 'web' is registered by the configuration:")
    assert own(writer)["web"].service.port == 0


async def test_who_registers_too_often_is_told_to_come_again() -> None:
    writer = Writer(handle=CoreHandle(CatalogConfig(changes_per_second=1.0)))
    for port in range(1000):
        reply = await writer.put(REGISTER, {"Name": "web", "Port": port})
        if reply.status != 200:
            break
    assert reply.status == 429
    assert reply.body.startswith(b"too many registrations in a short time")
    assert dict(reply.headers)["Retry-After"] == "1"


async def test_without_an_id_the_service_is_unknown() -> None:
    writer = Writer()
    await writer.put(REGISTER, {"Name": "web"})
    assert await writer.said("/v1/agent/service/deregister/") == (
        404,
        'Unknown service ID "". Ensure that the service ID is passed, not the service name.',
    )
    assert list(own(writer)) == ["web"]


async def test_maintenance_of_a_service() -> None:
    writer = Writer()
    await writer.put(REGISTER, {"Name": "web", "ID": "web-a"})
    url = "/v1/agent/service/maintenance/web-a"
    assert await writer.said(f"{url}?enable=True&reason=x+y") == (200, "")
    assert own(writer)["web-a"].state.maintenance == "x y"
    assert writer.handle.service("web").instances[0].status == "critical"
    assert await writer.said(f"{url}?enable=False") == (200, "")
    assert own(writer)["web-a"].state.maintenance == ""
    assert await writer.said(f"{url}?enable=true") == (200, "")
    assert own(writer)["web-a"].state.maintenance == (
        "Maintenance mode is enabled, but no reason was given."
    )


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("web?reason=x", 400, "Missing value for enable"),
        ("web?enable=", 400, "Missing value for enable"),
        ("web?enable=on", 400, 'Invalid value for enable: "on"'),
        ("", 400, "Missing service ID"),
        ("web?enable=true&reason=" + "x" * 600, 400, "reason: at most 512 bytes are accepted"),
        ("?enable=true", 400, "Missing service ID"),
        ("ghost?enable=true", 404, 'Unknown service ID "ghost". Ensure that the service ID is '
         "passed, not the service name."),
    ],
)  # fmt: skip
async def test_maintenance_that_cannot_be(target: str, status: int, text: str) -> None:
    writer = Writer()
    await writer.put(REGISTER, {"Name": "web"})
    assert await writer.said(f"/v1/agent/service/maintenance/{target}") == (status, text)
    assert own(writer)["web"].state.maintenance == ""
    assert writer.handle.own_services().node.maintenance == ""


@pytest.mark.parametrize(
    ("config", "is_loopback", "status"),
    [
        (HttpConfig(), True, 400),
        (HttpConfig(script_checks=True), True, 200),
        (HttpConfig(script_checks=True), False, 400),
        (HttpConfig(script_checks=True, token="t"), False, 200),
        (HttpConfig(token="t"), False, 400),
    ],
)
async def test_who_may_have_scripts_run(config: HttpConfig, is_loopback: bool, status: int) -> None:
    writer = Writer(config, is_loopback=is_loopback)
    said = await writer.said(
        REGISTER, {"Name": "web", "Check": {"ScriptArgs": ["/bin/true", "x"], "Interval": "5s"}}
    )
    assert said[0] == status
    if status == 200:
        (check,) = own(writer)["web"].service.checks
        assert (check.kind, check.args, check.timeout) == ("script", ("/bin/true", "x"), 5.0)
    else:
        assert "http.script_checks" in said[1]


@pytest.mark.parametrize("target", [REGISTER, "/v1/catalog/register"])
async def test_one_registration_does_not_fill_the_log(target: str) -> None:
    """Each instance of that name at one address and port is warned of: many at a load balancer."""
    writer, place = Writer(), {"Address": "10.0.0.9", "Port": 80}
    for number in range(20):
        body: dict[str, object] = {"Name": "web", "ID": f"web-{number}", **place}
        if target != REGISTER:
            body = {"Node": f"n{number}", "Address": "10.0.0.9", "Service": body}
        writer.lines.clear()
        assert (await writer.said(target, body))[0] == 200
    assert [line.rpartition(": ")[2] for line in writer.lines[4:]] == ["and 15 more warnings"]
    assert len(writer.lines) == 5
