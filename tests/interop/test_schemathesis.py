"""The description of the API held against a real daemon: schemathesis asks what it says.

Requests are made from ``/v1/openapi.json``, answers are held against it: their status, type
and shape are described ones, and none is a failure of ours. What would end the daemon, dial
others or wait for ever is left out. How garbage is answered is looked at elsewhere
(``tests/property`` and ``tests/interop``: random requests to every route).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from gossipd.client.blocking import Client
from support.agents import GOSSIPD, AgentProcess
from support.clusters import GOSSIP_PORT, NewCluster
from support.peers import skip_or_fail

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(600)]

HTTP_PORT = 8500
EXAMPLES, REFUSALS = 12, 1
"""Requests for each operation, and for one that is not offered: others in each run."""
LEFT_OUT = frozenset(
    {
        "/v1/agent/leave",
        "/v1/agent/join/{address}",
        "/v1/agent/force-leave/{node}",
        "/v1/agent/reload",
        "/v1/gossipd/events",
    }
)
WAITING = ("index", "hash", "wait")
"""With these a request may be held for minutes."""


@pytest.fixture
def agent(new_cluster: NewCluster) -> AgentProcess:
    """Return a daemon with a service, that answers HTTP."""
    cluster = new_cluster(profile="local")
    host = cluster.next_host()
    options = ("--http-addr", f"{host}:{HTTP_PORT}")
    started = cluster.prepare(GOSSIPD, bind=f"{host}:{GOSSIP_PORT}", more=options)
    started.start()
    with Client(str(started.options.socket)) as client:
        client.register_service(
            "web", port=80, tags=["v1"], needs=["db"], checks=[{"id": "c", "ttl": 60}]
        )
    return started


def test_answers_are_as_described(agent: AgentProcess) -> None:
    try:
        import schemathesis
        from schemathesis.checks import not_a_server_error
        from schemathesis.core.result import Ok
        from schemathesis.specs.openapi.checks import (
            content_type_conformance,
            response_schema_conformance,
            status_code_conformance,
        )
    except ImportError:
        skip_or_fail("needs schemathesis (in the extra dev)")
    from hypothesis import HealthCheck, Phase, given, settings

    host = agent.options.bind.rpartition(":")[0]
    base = f"http://{host}:{HTTP_PORT}"
    schema = schemathesis.openapi.from_url(f"{base}/v1/openapi.json")
    checks = [
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    answered: Counter[int] = Counter()

    def ask(case: Any) -> None:
        for name in WAITING:
            (case.query or {}).pop(name, None)
        wanted = [*checks]
        if "501" not in case.operation.definition.raw["responses"]:
            wanted.append(not_a_server_error)
        answer = case.call_and_validate(base_url=base, checks=wanted, timeout=20)
        answered[answer.status_code] += 1

    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation: Any = result.ok()
        if operation.path in LEFT_OUT:
            continue
        described = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
        run = settings(
            max_examples=REFUSALS if "not offered" in operation.tags else EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(given(case=described)(ask))
        run()
    assert answered[200] > 150, answered
    assert agent.is_running
