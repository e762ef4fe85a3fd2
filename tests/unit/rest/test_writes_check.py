"""Checks in Consul's words: their definitions, and what providers report of them."""

from __future__ import annotations

import pytest

from gossipd.config.faces import HttpConfig
from gossipd.rest.consul.writes.bodies import short
from gossipd.services.definition import CheckDefinition
from support.rest_writes import Writer

SERVICE = "/v1/agent/service/register"
REGISTER = "/v1/agent/check/register"
DEREGISTER = "/v1/agent/check/deregister"


async def shop(**service: object) -> Writer:
    writer = Writer(HttpConfig(script_checks=True))
    body = {"Name": "web", "ID": "web-a", "Address": "127.0.0.61", "Port": 9001} | service
    assert await writer.said(SERVICE, body) == (200, "")
    return writer


def definitions(writer: Writer) -> tuple[CheckDefinition, ...]:
    (one,) = writer.handle.own_services().services
    return one.service.checks


def statuses(writer: Writer) -> dict[str, tuple[str, str]]:
    own = writer.handle.own_services()
    checks = [*own.node.checks, *(check for one in own.services for check in one.checks)]
    return {check.id: (check.status, check.output) for check in checks}


async def defined(**check: object) -> CheckDefinition:
    (one,) = definitions(await shop(Check=check))
    return one


async def test_an_http_check_with_all_that_can_be_said() -> None:
    assert await defined(
        CheckID="h",
        Name="health",
        HTTP="https://127.0.0.61:9001/h?x=1",
        Method="head",
        Header={"X-a": ["b", "c"], "x_y": ["d"]},
        Body="{}",
        TLSSkipVerify=True,
        Interval="1m30s",
        Timeout="1500ms",
        SuccessBeforePassing=2,
        FailuresBeforeWarning=1,
        FailuresBeforeCritical=3,
        DeregisterCriticalServiceAfter="10s",
        OutputMaxSize=100,
        Status="warning",
        Notes="what\nit is",
    ) == CheckDefinition(
        id="h",
        name="health",
        kind="http",
        target="https://127.0.0.61:9001/h?x=1",
        method="HEAD",
        headers=(("X-a", "b"), ("X-a", "c"), ("x_y", "d")),
        body="{}",
        verify_tls=False,
        interval=90.0,
        timeout=1.5,
        passes_needed=2,
        failures_before_warning=1,
        failures_before_critical=3,
        deregister_after=60.0,
        status="warning",
        notes="what it is",
    )


@pytest.mark.parametrize(
    ("check", "interval", "timeout"),
    [
        ({"HTTP": "http://x/", "Interval": "10s"}, 10.0, 10.0),
        ({"HTTP": "http://x/", "Interval": "9s"}, 9.0, 9.0),
        ({"TCP": "x:1", "Interval": "5s", "Timeout": "20s"}, 5.0, 5.0),
        ({"TCP": "x:1", "Interval": "5s", "Timeout": "2s"}, 5.0, 2.0),
        ({"TCP": "x:1", "Interval": "60s", "Timeout": "20s"}, 60.0, 20.0),
        ({"TCP": "x:1", "Interval": "100ms"}, 1.0, 1.0),
        ({"TCP": "x:1", "Interval": 30 * 10**9, "Timeout": 0}, 30.0, 10.0),
        ({"Args": ["x"], "Interval": "60s"}, 60.0, 30.0),
        ({"script_args": ["x"], "Interval": "60s", "Timeout": "0s"}, 60.0, 30.0),
    ],
)
async def test_times_of_checks_that_run(
    check: dict[str, object], interval: float, timeout: float
) -> None:
    one = await defined(**check)
    assert (one.interval, one.timeout) == (interval, timeout)


async def test_warning_comes_with_critical_unless_it_is_said() -> None:
    one = await defined(TCP="x:1", Interval="9s", FailuresBeforeCritical=4, FailuresBeforeWarning=0)
    assert (one.failures_before_warning, one.failures_before_critical) == (4, 4)
    assert one.passes_needed == 1


async def test_kinds_that_do_not_run() -> None:
    alias = await defined(AliasService="db", AliasNode="alder")
    assert (alias.kind, alias.target) == ("alias", "db")
    ttl = await defined(TTL="15s", Interval="", HTTP="", Args=[], Status="passing")
    assert (ttl.kind, ttl.ttl, ttl.status) == ("ttl", 15.0, "passing")


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ({"TTL": "0s"}, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"TTL": "-1s"}, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"TTL": "10"}, "Check.TTL: '10' is not a duration such as 10s or 1m30s"),
        ({"TTL": "10s", "Interval": "5s"},
         "Invalid check: Interval and TTL cannot both be specified"),
        ({"TTL": "10s", "HTTP": "http://x/", "Interval": "5s"},
         "Invalid check: Interval and TTL cannot both be specified"),
        ({"HTTP": "http://x/"}, "Invalid check: Interval must be > 0 for HTTP checks"),
        ({"TCP": "x:1", "Interval": "0s"}, "Invalid check: Interval must be > 0 for TCP checks"),
        ({"TCP": "x:1", "Interval": "-5s"}, "Invalid check: Interval must be > 0 for TCP checks"),
        ({"Args": ["x"]}, "Invalid check: Interval must be > 0 for Args checks"),
        ({"Interval": "5s"},
         "Invalid check: no type; HTTP, TCP, TTL, Args or AliasService is taken"),
        ({"TCP": "x:1", "HTTP": "http://x/", "Interval": "5s"},
         "Invalid check: one of HTTP and TCP is taken, not both"),
        ({"TTL": "9s", "AliasService": "x"},
         "Invalid check: one of AliasService and TTL is taken, not both"),
        ({"GRPC": "x:1", "Interval": "5s"},
         "Invalid check: type not supported by gossipd: GRPC"),
        ({"UDP": "x:1", "Interval": "5s"}, "Invalid check: type not supported by gossipd: UDP"),
        ({"H2Ping": "x:1", "Interval": "5s"},
         "Invalid check: type not supported by gossipd: H2PING"),
        ({"docker_container_id": "c", "shell": "/bin/sh", "script": "/x", "interval": "9s"},
         "Invalid check: type not supported by gossipd: Docker"),
        ({"OSService": "x", "Interval": "5s"},
         "Invalid check: type not supported by gossipd: OSService"),
        ({"Script": "/x", "Interval": "5s"},
         "Invalid check: type not supported by gossipd: Script, give Args"),
        ({"AliasNode": "alder"},
         "Invalid check: type not supported by gossipd: alias of a node, give AliasService"),
        ({"AliasService": "x", "AliasNode": "birch"},
         "Invalid check: AliasNode: only services of this node are followed"),
        ({"TCP": "x:1", "TCPUseTLS": True, "Interval": "5s"},
         "Invalid check: TCPUseTLS is not supported by gossipd"),
        ({"HTTP": "http://x/", "TLSServerName": "y", "Interval": "5s"},
         "Invalid check: TLSServerName is not supported by gossipd"),
        ({"HTTP": "http://x/", "DisableRedirects": True, "Interval": "5s"},
         "Invalid check: DisableRedirects is not supported by gossipd"),
        ({"TTL": "9s", "Status": "fine"},
         "Status for checks must be 'passing', 'warning', 'critical'"),
        ({"TCP": "x:1", "Interval": "5s", "FailuresBeforeWarning": 2},
         "Invalid check: FailuresBeforeWarning is above FailuresBeforeCritical"),
        ({"TCP": "x:1", "Interval": "5s", "SuccessBeforePassing": -1},
         "Check.SuccessBeforePassing: -1 is not a whole number within 0..1000"),
        ({"TCP": "x:1", "Interval": "5s", "Timeout": "-1s"}, "Check.Timeout: '-1s' is below 0"),
        ({"TCP": "x:1", "Interval": 10**40},
         "Check.Interval: a number far too large is not a duration such as 10s or 1m30s"),
        ({"HTTP": "ftp://x/", "Interval": "5s"},
         "Checks[0].HTTP: 'ftp://x/' is not a URL such as http://127.0.0.1:8080/health, nor..."),
        ({"HTTP": "http://x/", "Header": {"a b": ["c"]}, "Interval": "5s"},
         "Checks[0].Header: 'a b': no header has such a name or value"),
        ({"HTTP": "http://x/", "Header": {"a": [1]}, "Interval": "5s"},
         "Check.Header.a[0]: 1 is not text"),
        ({"HTTP": "http://x/", "TLSSkipVerify": "yes", "Interval": "5s"},
         "Check.TLSSkipVerify: 'yes' is neither true nor false"),
    ],
)  # fmt: skip
async def test_checks_that_cannot_be(check: dict[str, object], text: str) -> None:
    writer = Writer(HttpConfig(script_checks=True))
    said = await writer.said(SERVICE, {"Name": "web", "Check": check})
    assert said == (400, short(text))
    assert not writer.handle.own_services().services


async def test_a_check_of_a_service_is_added_to_it() -> None:
    writer = await shop(Check={"TTL": "9s"})
    body = {"Name": "n1", "ServiceID": "web-a", "TCP": ":81", "Interval": "9s"}
    assert await writer.said(REGISTER, body) == (200, "")
    assert [check.id for check in definitions(writer)] == ["service:web-a", "n1"]
    assert definitions(writer)[1].target == "127.0.0.61:81"
    assert await writer.said(REGISTER, {"name": "n1", "id": "c1", "serviceid": "web-a",
                                        "ttl": "15s"}) == (200, "")  # fmt: skip
    assert definitions(writer)[2].name == "n1"
    again = body | {"TCP": "", "TTL": "1s", "Interval": ""}
    assert await writer.said(REGISTER, again) == (200, "")
    assert [check.id for check in definitions(writer)] == ["service:web-a", "c1", "n1"]


async def test_a_check_of_the_node() -> None:
    writer = await shop()
    body = {"Name": "disk", "TTL": "9s", "Status": "passing"}
    assert await writer.said(REGISTER, body) == (200, "")
    assert statuses(writer) == {"disk": ("passing", "")}
    assert await writer.said("/v1/agent/check/fail/disk?note=full") == (200, "")
    assert statuses(writer) == {"disk": ("critical", "full")}
    assert writer.handle.service("web").instances[0].status == "critical"
    assert await writer.said(f"{DEREGISTER}/disk") == (200, "")
    assert statuses(writer) == {}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"TTL": "9s"}, 400, "Missing check name"),
        ({"ID": "c", "TTL": "9s"}, 400, "Missing check name"),
        ({"Name": "c", "ServiceID": "x", "TTL": "9s"}, 404, 'ServiceID "x" does not exist'),
        ({"Name": "c", "TTL": "0s"}, 400, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"Name": "c", "TCP": "nowhere", "Interval": "9s"}, 400,
         "TCP: 'nowhere' has no port, and the service has none either"),
        ({"Name": "c", "TTL": "9s", "Namespace": "n"}, 400,
         "Namespace: gossipd has none; leave it out, or say default"),
        ({"Name": "service:web-a", "TTL": "9s"}, 400,
         "check id 'service:web-a' is one of service 'web-a': ids are unique on a node"),
    ],
)  # fmt: skip
async def test_checks_that_cannot_be_registered(
    body: dict[str, object], status: int, text: str
) -> None:
    writer = await shop(Check={"TTL": "9s"})
    assert await writer.said(REGISTER, body) == (status, text)
    assert list(statuses(writer)) == ["service:web-a"]


@pytest.mark.parametrize(
    ("verb", "status"), [("pass", "passing"), ("warn", "warning"), ("fail", "critical")]
)
async def test_a_provider_reports(verb: str, status: str) -> None:
    writer = await shop(Check={"TTL": "15s"})
    url = f"/v1/agent/check/{verb}/service:web-a"
    assert await writer.said(f"{url}?note=all+is+said") == (200, "")
    assert statuses(writer) == {"service:web-a": (status, "all is said")}
    assert await writer.said(url) == (200, "")
    assert statuses(writer) == {"service:web-a": (status, "")}


async def test_a_report_starts_the_clock_anew() -> None:
    writer = await shop(Check={"TTL": "15s"})
    for _ in range(3):
        await writer.put("/v1/agent/check/pass/service:web-a")
        writer.at(14.0)
        assert statuses(writer)["service:web-a"][0] == "passing"
    writer.at(1.5)
    status, output = statuses(writer)["service:web-a"]
    assert status == "critical"
    assert "15" in output


async def test_the_modern_form_of_a_report() -> None:
    writer = await shop(Check={"TTL": "15s"})
    url = "/v1/agent/check/update/service:web-a"
    assert await writer.said(url, {"Status": "warning", "Output": "a\nb"}) == (200, "")
    assert statuses(writer) == {"service:web-a": ("warning", "a\nb")}
    said = await writer.said(url, {"Status": "bad"})
    assert said == (400, "Invalid check status: 'bad', give passing, warning, critical")
    assert (await writer.said(url, {}))[0] == 400
    assert (await writer.said(url))[0] == 400
    assert statuses(writer) == {"service:web-a": ("warning", "a\nb")}


@pytest.mark.parametrize("verb", ["pass", "warn", "fail", "update"])
async def test_reports_of_what_is_not_there_or_no_ttl_check(verb: str) -> None:
    writer = await shop(Check={"TCP": ":1", "Interval": "9s"})
    await writer.put("/v1/agent/service/maintenance/web-a?enable=true")
    body = {"Status": "passing"} if verb == "update" else None
    url = f"/v1/agent/check/{verb}"
    assert await writer.said(f"{url}/ghost", body) == (
        404,
        'Unknown check ID "ghost". Ensure that the check ID is passed, not the check name.',
    )
    for check in ("service:web-a", "_service_maintenance:web-a"):
        assert await writer.said(f"{url}/{check}", body) == (
            500,
            f'CheckID "{check}" does not have associated TTL',
        )


@pytest.mark.parametrize("verb", ["pass", "warn", "fail", "update", "deregister"])
async def test_without_an_id_the_check_is_unknown(verb: str) -> None:
    writer = await shop(Check={"TTL": "9s"})
    body = {"Status": "passing"} if verb == "update" else None
    assert await writer.said(f"/v1/agent/check/{verb}/", body) == (
        404,
        'Unknown check ID "". Ensure that the check ID is passed, not the check name.',
    )


async def test_an_id_may_hold_slashes_as_it_is_or_encoded() -> None:
    writer = await shop(Check={"CheckID": "a/b:c/", "TTL": "9s"})
    for number, id in enumerate(("a/b:c/", "a%2Fb%3Ac%2F")):
        assert await writer.said(f"/v1/agent/check/warn/{id}?note={number}") == (200, "")
        assert statuses(writer) == {"a/b:c/": ("warning", str(number))}
    assert await writer.said(f"{DEREGISTER}/a/b:c/") == (200, "")


async def test_deregistering_a_check() -> None:
    writer = await shop(Checks=[{"TTL": "9s"}, {"TTL": "8s"}])
    assert await writer.said(f"{DEREGISTER}/service:web-a:1") == (200, "")
    assert list(statuses(writer)) == ["service:web-a:2"]
    assert (await writer.said(f"{DEREGISTER}/service:web-a:1"))[0] == 404


async def test_deregistering_the_check_of_maintenance_ends_it() -> None:
    writer = await shop()
    await writer.put("/v1/agent/service/maintenance/web-a?enable=true")
    writer.handle.set_maintenance("", "works")
    assert writer.handle.own_services().node.maintenance == "works"
    for check in ("_node_maintenance", "_service_maintenance:web-a"):
        assert (await writer.said(f"{DEREGISTER}/{check}"))[0] == 200
        assert (await writer.said(f"{DEREGISTER}/{check}"))[0] == 404
    own = writer.handle.own_services()
    assert (own.node.maintenance, own.services[0].state.maintenance) == ("", "")
