"""The example of docs/balancing.md, against real HTTP servers of which one is not well."""

from __future__ import annotations

import contextlib
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

import gossipd.client
from gossipd.client.aio_balancing import AsyncServiceBalancer
from gossipd.client.at import At
from gossipd.client.balancing import ServiceBalancer
from support.fake_watch import AsyncFakeDaemon, FakeDaemon
from support.http_servers import Site
from support.instances import instance, reset

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "balanced.py"
REQUESTS = 12


@pytest.fixture
def sites() -> Iterator[tuple[Site, Site]]:
    both = (Site("good"), Site("bad"))
    yield both
    for site in both:
        site.close()


@contextlib.contextmanager
def example_of(
    sites: tuple[Site, Site], policy: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServiceBalancer]:
    """A balancer over the two; the example's client hands out this very one."""
    daemon = FakeDaemon(reset(*(instance(site.name, port=site.port) for site in sites)))

    class FakeClient:
        def __enter__(self) -> FakeClient:
            return self

        def __exit__(self, *_: object) -> None:
            """The balancer lives on, as in a program that runs for long."""

        def balancer(self, name: str) -> contextlib.AbstractContextManager[ServiceBalancer]:
            assert name == "web"
            return contextlib.nullcontext(balancer)

    with ServiceBalancer("web", daemon.connect, policy=policy, random=Random(4)) as balancer:
        monkeypatch.setattr(gossipd.client, "Client", FakeClient, raising=False)
        yield balancer


def run_example(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run the example again and again; return what it printed."""
    for _ in range(REQUESTS):
        runpy.run_path(str(EXAMPLE))
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("mode", ["killed", "hung", "500", "reset"])
@pytest.mark.parametrize("policy", ["p2c", "round-robin"])
def test_the_caller_sees_no_error_that_a_retry_could_avoid(
    mode: str,
    policy: str,
    sites: tuple[Site, Site],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = sites[1]
    with example_of(sites, policy, monkeypatch) as web:
        assert set(run_example(capsys)) <= {"200 good", "200 bad"}
        if mode == "killed":
            bad.kill()
        else:
            bad.mode = mode
        assert run_example(capsys) == ["200 good"] * REQUESTS
        failures = {report.owner: report.failures for report in web.snapshot().instances}
        assert failures["good"] == 0
        assert failures["bad"] <= 5
        # power of two choices may have liked the other better all the time
        assert failures["bad"] >= 3 or policy == "p2c"


@pytest.mark.parametrize("mode", ["killed", "hung", "500", "reset"])
def test_the_async_example_sees_none_either(
    mode: str,
    sites: tuple[Site, Site],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class FakeClient:
        async def __aenter__(self) -> FakeClient:
            return self

        async def __aexit__(self, *_: object) -> None:
            """Nothing to end."""

        def balancer(self, name: str) -> AsyncServiceBalancer:
            told = reset(*(instance(site.name, port=site.port) for site in sites))
            daemon = AsyncFakeDaemon(told)
            daemons.append(daemon)
            return AsyncServiceBalancer(name, daemon.connect, random=Random(len(daemons)))

    daemons: list[AsyncFakeDaemon] = []
    if mode == "killed":
        sites[1].kill()
    sites[1].mode = mode
    monkeypatch.setattr(gossipd.client, "AsyncClient", FakeClient, raising=False)
    for _ in range(4):  # each run is a new program, which knows nothing of the bad one yet
        runpy.run_path(str(EXAMPLE.with_name("balanced_async.py")))
    for daemon in daemons:
        daemon.close()
    assert capsys.readouterr().out.splitlines() == ["200 good"] * 4


def test_a_slow_one_is_hardly_asked(
    sites: tuple[Site, Site],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sites[1].mode = "slow"
    with example_of(sites, "p2c", monkeypatch):
        printed = run_example(capsys)
    assert printed.count("200 bad") <= 2
    assert set(printed) <= {"200 good", "200 bad"}


@pytest.mark.parametrize("policy", ["p2c", "round-robin", "weighted", "least"])
def test_a_refused_connection_is_no_callers_problem_even_if_not_idempotent(
    sites: tuple[Site, Site], policy: str
) -> None:
    daemon = FakeDaemon(reset(*(instance(site.name, port=site.port) for site in sites)))
    sites[1].kill()
    with (
        ServiceBalancer("web", daemon.connect, policy=policy, random=Random(1)) as web,
        httpx.Client() as http,
    ):

        def get(at: At) -> httpx.Response:
            return http.get(at.url("/"), timeout=at.timeout)

        answers = [web.call(get, timeout=3.0).text for _ in range(REQUESTS)]
        assert answers == ["good"] * REQUESTS
        assert {r.owner: r.failures for r in web.snapshot().instances}["bad"] <= 5


def test_the_page_shows_the_example_as_it_is() -> None:
    page = (DOCS / "balancing.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S)
    example = EXAMPLE.read_text(encoding="utf-8").partition('"""\n\n')[2]
    for line in shown.splitlines():
        assert line in example.splitlines()
