"""Tables into services: one form for files, the socket and the command line; errors by path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossipd.errors import UsageError
from gossipd.services.definition import CheckDefinition, CheckState, NodeState, ServiceState
from gossipd.services.own import FROM_CONFIG, OwnService, OwnServices
from gossipd.services.reading import read_check, read_service, write_check, write_service
from gossipd.services.saved import read_own_services, write_own_services


def test_a_name_is_enough() -> None:
    service = read_service({"name": "web"})
    assert (service.id, service.name, service.port, service.checks) == ("web", "web", 0, ())


def test_everything_a_provider_can_say_is_read() -> None:
    service = read_service(
        {
            "id": "web-1",
            "name": "web",
            "address": "[fd00::1]",
            "port": 8080,
            "tags": ["v1", "primary", "v1"],
            "meta": {"version": "1.2"},
            "tagged_addresses": {
                "wan": "192.0.2.7:80",
                "lan": {"address": "10.0.0.7", "port": 8080},
                "six": "[fd00::2]:81",
                "bare": "fd00::3",
            },
            "weight": 10,
            "warning_weight": 5,
            "zone": "a",
            "needs": ["db", "cache"],
            "check": {"http": "/health", "interval": "5s"},
            "checks": [{"id": "beat", "ttl": 30}],
        }
    )
    assert service.address == "fd00::1"
    assert service.tags == ("v1", "primary")
    assert service.tagged_addresses == {
        "wan": ("192.0.2.7", 80),
        "lan": ("10.0.0.7", 8080),
        "six": ("fd00::2", 81),
        "bare": ("fd00::3", 0),
    }
    assert [check.id for check in service.checks] == ["service:web-1", "beat"]
    assert service.checks[0].target == "http://[fd00::1]:8080/health"
    assert service.checks[0].interval == 5.0
    assert service.checks[1].ttl == 30.0


@pytest.mark.parametrize(
    ("check", "target"),
    [
        ({"http": "/health"}, "http://127.0.0.1:8080/health"),
        ({"http": "http:/health"}, "http://127.0.0.1:8080/health"),
        ({"http": "https:/health?full=1"}, "https://127.0.0.1:8080/health?full=1"),
        ({"http": ":9090/health"}, "http://127.0.0.1:9090/health"),
        ({"http": "http://10.0.0.1/x"}, "http://10.0.0.1/x"),
        ({"http": "http://web.example:81"}, "http://web.example:81/"),
        ({"http": "http://[fd00::1]:81/x"}, "http://[fd00::1]:81/x"),
        ({"tcp": ":9090"}, "127.0.0.1:9090"),
        ({"tcp": 9090}, "127.0.0.1:9090"),
        ({"tcp": "9090"}, "127.0.0.1:9090"),
        ({"tcp": "db.example"}, "db.example:8080"),
        ({"tcp": "[fd00::1]:1"}, "[fd00::1]:1"),
        ({"alias": "db"}, "db"),
    ],
)
def test_targets_are_completed_with_the_service(check: dict[str, object], target: str) -> None:
    service = read_service({"name": "web", "port": 8080, "check": check})
    assert service.checks[0].target == target


def test_a_script_is_a_list_or_text_that_is_split() -> None:
    assert read_check({"script": "check_disk -w '10 %'"}, 0, "web").args == (
        "check_disk",
        "-w",
        "10 %",
    )
    assert read_check({"script": ["a", "b c"]}, 0, "web").args == ("a", "b c")


def test_a_held_check_passes_until_its_connection_ends() -> None:
    assert read_check({"held": True}, 0, "web").status == "passing"
    assert read_check({"ttl": "30s"}, 0, "web").status == "critical"
    assert read_check({"ttl": "30s", "held": False, "status": "warning"}, 0, "w").kind == "ttl"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "name: missing"),
        ({"name": ""}, "name: empty; give 1 to 128"),
        ({"name": " web"}, "name: ' web' begins or ends with a space"),
        ({"name": "w" * 129}, "name: 129 characters; at most 128"),
        ({"name": "a\nb"}, "name: 'a\\nb' is not text of one line"),
        ({"name": "web", "prot": 80}, "prot: unknown field; did you mean 'port'?"),
        ({"name": "web", "port": 65536}, "port: 65536 is not a whole number within 0..65535"),
        ({"name": "web", "port": True}, "port: True is not a whole number"),
        ({"name": "web", "address": "10.0.0.1:80"}, "address: '10.0.0.1:80' has a port"),
        ({"name": "web", "address": "a b"}, "address: 'a b' is neither an IP"),
        ({"name": "web", "tags": ["x" * 257]}, "tags[0]: 257 characters"),
        ({"name": "web", "tags": ["ä" * 200]}, "tags[0]: 400 bytes"),
        ({"name": "web", "tags": [str(i) for i in range(65)]}, "tags: 65 of them; at most 64"),
        ({"name": "web", "tags": 3}, "tags: 3 is not a list of texts"),
        ({"name": "web", "meta": {"k": 1}}, "meta.k: 1 is not text"),
        ({"name": "web", "meta": {"k": "v" * 513}}, "meta.k: 513 bytes; at most 512"),
        ({"name": "web", "meta": {"": "v"}}, "meta: the key ''"),
        ({"name": "web", "weight": -1}, "weight: -1 is not a whole number within 0..65535"),
        ({"name": "web", "tagged_addresses": {"x": "h:99999"}}, "tagged_addresses.x: 99999 is"),
        ({"name": "web", "tagged_addresses": {"x": {}}}, "tagged_addresses.x.address: missing"),
        ({"name": "web", "needs": [""]}, "needs[0]: empty"),
        ({"name": "web", "checks": {}}, "checks: a table is not a list"),
        ({"name": "web", "check": {}}, "check: says not what to check; give one of http, tcp"),
        (
            {"name": "web", "check": {"grpc": "x:1"}},
            "check.grpc: unknown field; did you mean 'grace'? (kinds of checks are http",
        ),
        ({"name": "web", "check": {"htp": "/"}}, "check.htp: unknown field; did you mean 'http'?"),
        ({"name": "web", "check": {"interval": 1}}, "check: says not what to check"),
        ({"name": "web", "check": {"tcp": ":1", "ttl": 1}}, "check.ttl: a check is of one kind"),
        ({"name": "web", "check": {"http": "/health"}}, "check.http: '/health' has no port"),
        ({"name": "web", "check": {"http": "ftp://x/"}}, "check.http: 'ftp://x/' is not a URL"),
        ({"name": "web", "check": {"tcp": "a:b"}}, "check.tcp: 'b' is not a whole number"),
        ({"name": "web", "check": {"script": "a 'b"}}, "check.script: cannot be split"),
        ({"name": "web", "check": {"script": []}}, "check.script: a list is no command"),
        (
            {"name": "web", "checks": [{"ttl": "5s"}, {"ttl": "5s", "interval": "soon"}]},
            "checks[1].interval: 'soon' is not a duration such as 30s",
        ),
        (
            {"name": "web", "checks": [{"ttl": "5s", "interval": 0}]},
            "checks[0].interval: 0 is not within 0.1s",
        ),
        (
            {"name": "web", "checks": [{"ttl": 1, "id": "a"}, {"ttl": 1, "id": "a"}]},
            "checks[1].id: 'a' is taken",
        ),
        (
            {"name": "web", "check": {"ttl": 1, "failures_before_warning": 2}},
            "check.failures_before_warning: 2 is above failures_before_critical, which is 1",
        ),
        ({"name": "web", "check": [{"ttl": 1}]}, "check: a list, and not one check: give several"),
        ({"name": "ü" * 128}, "name: 256 bytes; at most 255 are taken"),
        ({"name": "web", "id": "ü" * 128}, "id: 256 bytes; at most 255 are taken"),
        ({"name": "web", "check": {"ttl": 1, "id": "ü" * 150}}, "check.id: 300 bytes; at most"),
        ({"name": "web", "check": {"ttl": 1, "name": "ü" * 128}}, "check.name: 256 bytes; at most"),
        ({"name": "ü" * 127, "check": {"ttl": 1}}, "check.id: missing; the service's own id"),
        ({"name": "web", "check": {"ttl": 1, "status": "ok"}}, "check.status: 'ok' is not one of"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as failure:
        read_service(fields)
    assert str(failure.value).startswith(message)


def test_a_check_of_the_node_needs_an_id_or_a_name() -> None:
    assert read_check({"name": "disk", "script": "df"}).id == "disk"
    with pytest.raises(UsageError, match=r"^check\.id: missing"):
        read_check({"script": "df"}, path="check")


_texts = st.text(max_size=12) | st.sampled_from(
    ["web", "30s", "/health", ":80", "127.0.0.1:80", "http://a/b", "passing", "GET", "[::1]"]
)
_scalars: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | _texts | st.binary(max_size=6)
)
_keys = st.sampled_from(
    ["id", "name", "address", "port", "tags", "meta", "tagged_addresses", "weight", "zone",
     "needs", "check", "checks", "http", "tcp", "script", "ttl", "alias", "held", "interval",
     "method", "headers", "status", "grace", "a"]
)  # fmt: skip
_anything = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(_keys | _texts | st.binary(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(_keys, _anything, max_size=8))
def test_any_table_is_a_service_or_an_error_that_begins_with_a_path(
    fields: dict[str, object],
) -> None:
    try:
        service = read_service(fields)
    except UsageError as error:
        refusal = str(error)
    else:
        assert read_service(write_service(service)) == service
        return
    path, colon, why = refusal.partition(": ")
    assert path and colon and why  # noqa: PT018
    assert len(refusal) < 1000


_names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
_rests: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "interval": st.floats(0.1, 1000),
        "timeout": st.floats(0.1, 1000),
        "grace": st.floats(0, 1000),
        "passes_needed": st.integers(1, 5),
        "failures_before_critical": st.integers(1, 5),
        "headers": st.just({"Host": "web"}),
        "notes": _names,
        "verify_tls": st.booleans(),
    },
)
_kinds: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"http": "/x"},
        {"tcp": ":1"},
        {"ttl": "1m"},
        {"script": "a b"},
        {"alias": "db"},
        {"held": True},
        {"held": True, "status": "critical"},
    ]
)
_checks = st.builds(lambda rest, kind: {**rest, **kind}, _rests, _kinds)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"name": _names, "port": st.integers(1, 65535)},
        optional={
            "id": _names,
            "tags": st.lists(_names, max_size=4),
            "meta": st.dictionaries(_names, _names, max_size=3),
            "needs": st.lists(_names, max_size=3),
            "zone": _names,
            "weight": st.integers(0, 65535),
            "tagged_addresses": st.just({"wan": "h:1"}),
            "checks": st.lists(_checks, max_size=4),
        },
    )
)
def test_what_is_written_is_read_again(fields: dict[str, object]) -> None:
    service = read_service(fields)
    assert read_service(write_service(service)) == service
    for index, check in enumerate(service.checks):
        assert read_check(write_check(check), index, service.id) == check


def test_own_services_survive_their_file() -> None:
    service = read_service({"name": "web", "port": 1, "check": {"http": "/"}, "needs": ["db"]})
    own = OwnServices(
        node=NodeState(zone="a", maintenance="kernel", checks=(_state("disk"),)),
        services=(
            OwnService(
                service=service,
                state=ServiceState(
                    statuses=("warning",), weight=3, load=0.25, maintenance="x", is_draining=True
                ),
                checks=(_state("service:web"),),
                source=FROM_CONFIG,
            ),
        ),
    )
    assert read_own_services(write_own_services(own)) == own


def test_a_spoilt_file_of_own_services_is_named_by_its_path() -> None:
    with pytest.raises(UsageError, match=r"^services\[0\]\.service\.port: "):
        read_own_services({"services": [{"service": {"name": "web", "port": -1}}]})
    with pytest.raises(UsageError, match=r"^services\[0\]\.checks\[0\]\.status: "):
        read_own_services({"services": [{"service": {"name": "web"}, "checks": [{}]}]})


def test_every_field_of_a_check_is_written() -> None:
    full = read_check(
        {
            "http": "https://h/x", "method": "head", "headers": [["A", "1"], ["A", "2"]],
            "body": "x\ny", "verify_tls": False, "interval": 1, "timeout": 2, "name": "n",
            "passes_needed": 2, "failures_before_warning": 2, "failures_before_critical": 3,
            "grace": 4, "deregister_after": 5, "status": "passing", "notes": "z", "id": "i",
        }
    )  # fmt: skip
    plain = CheckDefinition(id="x")
    same = [f for f in CheckDefinition.__match_args__ if getattr(full, f) == getattr(plain, f)]
    assert same == ["args", "ttl"]
    assert read_check(write_check(full)) == full


@pytest.mark.parametrize("warning", [None, 1, 2, 3])
def test_a_check_warns_on_its_way_to_critical_only_if_that_was_asked_for(
    warning: int | None,
) -> None:
    fields: dict[str, object] = {"tcp": 1, "id": "i", "failures_before_critical": 3}
    check = read_check(fields if warning is None else fields | {"failures_before_warning": warning})
    assert check.failures_before_warning == (3 if warning is None else warning)
    assert read_check(write_check(check)) == check


def _state(check: str) -> CheckState:
    return CheckState(check, "n", "http", "warning", "503\nbusy")
