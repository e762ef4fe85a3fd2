"""Services of files and of the last run brought to a node, and taken back."""

from __future__ import annotations

from random import Random

import pytest
import trio

from gossipd.agent.checks.result import Result
from gossipd.agent.services.registrar import Registrar
from gossipd.catalog.effects import StartCheck, StopCheck
from gossipd.errors import ConfigError, UsageError
from gossipd.ledger import Ledger
from gossipd.services.definition import CheckDefinition, Service, ServiceState
from gossipd.services.own import FROM_CLIENT, FROM_CONFIG, OwnService, OwnServices
from gossipd.value import replace


class Node:
    """Registers everything but what has the name ``bad``, and says what was done."""

    def __init__(self) -> None:
        self.registered: dict[str, OwnService] = {}
        self.calls: list[tuple[object, ...]] = []

    def register_service(self, service: Service, source: str, now: float) -> tuple[str, ...]:
        if service.name == "bad":
            raise UsageError("it is bad")
        known = self.registered.get(service.id)
        if known is not None and known.source != source:
            raise UsageError("it is somebody else's")
        if known is None or known.service != service:
            self.calls.append(("register", service.id))
        self.registered[service.id] = OwnService(
            service=service, state=ServiceState(), source=source
        )
        return ("odd name",) if service.name == "odd" else ()

    def deregister_service(self, service: str, now: float) -> None:
        self.calls.append(("deregister", service))
        del self.registered[service]

    def check_result(
        self, check: str, status: str, output: str, load: float | None, now: float
    ) -> None:
        self.calls.append((check, status, output, load, now))

    def restore_services(self, own: OwnServices, now: float) -> None:
        kept = [one for one in own.services if one.source == FROM_CLIENT]
        self.registered.update({one.service.id: one for one in kept})
        self.calls.append(("restore", *[(one.service.id, one.source) for one in own.services]))

    def own_services(self) -> OwnServices:
        return OwnServices(services=tuple(self.registered.values()))


class Bench:
    def __init__(self) -> None:
        self.node = Node()
        self.lines: list[str] = []
        self.registrar = Registrar(
            self.node,
            lambda call, *args: call(*args, 7.0),
            4,
            random=Random(1),
            say=lambda level, text: self.lines.append(f"[{level}] {text}"),
            tally=Ledger(),
        )

    def held(self) -> dict[str, int]:
        return {key: own.service.port for key, own in self.node.registered.items()}


def service(name: str, port: int = 1, key: str = "") -> Service:
    return Service(id=key or name, name=name, port=port)


def test_files_are_compared_with_what_they_said_before() -> None:
    bench = Bench()
    bench.registrar.begin(None, (service("web"), service("db"), service("mail")))
    bench.node.calls.clear()
    bench.registrar.configure((service("web"), service("db", 2), service("new")))
    assert bench.held() == {"web": 1, "db": 2, "new": 1}
    assert bench.node.calls == [("deregister", "mail"), ("register", "db"), ("register", "new")]
    bench.lines.clear()
    bench.registrar.configure((service("web", 9), *(service(f"s{n}") for n in range(30))))
    said = "[INFO] agent: services of the configuration"
    assert [line.removeprefix(said)[:31] for line in bench.lines] == [
        " registered: s0, s1, s2, s3, s4", " replaced: web", " taken back: db, new",
    ]  # fmt: skip
    assert bench.lines[0].endswith("s19 and 10 more")
    bench.registrar.configure(())
    assert bench.held() == {}


def test_all_or_nothing() -> None:
    bench = Bench()
    before = (service("web"), service("db"))
    bench.registrar.configure(before)
    with pytest.raises(ConfigError, match="service 'x': it is bad"):
        bench.registrar.configure((service("web", 2), service("new"), service("bad", key="x")))
    assert bench.held() == {"web": 1, "db": 1}
    bench.registrar.configure(before)  # it still knows what the files said
    assert bench.held() == {"web": 1, "db": 1}


def test_what_clients_registered_is_left_alone_and_what_ended_by_itself_comes_back() -> None:
    bench = Bench()
    mine = OwnService(service=service("mine"), state=ServiceState(), source=FROM_CLIENT)
    bench.registrar.begin(OwnServices(services=(mine,)), (service("web"),))
    assert bench.held() == {"mine": 1, "web": 1}
    assert bench.lines == [
        "[INFO] agent: services of the configuration registered: web",
        "[INFO] agent: restored services of the last run: 1",
    ]
    bench.node.deregister_service("web", 0.0)
    bench.registrar.configure((service("web"),))
    assert bench.held() == {"mine": 1, "web": 1}
    bench.node.deregister_service("web", 0.0)
    bench.node.register_service(service("web"), FROM_CLIENT, 0.0)
    bench.registrar.configure(())
    assert bench.held() == {"mine": 1, "web": 1}
    with pytest.raises(ConfigError, match="service 'mine': it is somebody else's"):
        bench.registrar.configure((service("mine"),))
    assert bench.node.registered["mine"].source == FROM_CLIENT


def test_a_start_prefers_the_configuration_to_what_a_client_registered() -> None:
    bench = Bench()
    saved = OwnServices(
        services=tuple(
            OwnService(service=service(name), state=ServiceState(), source=source)
            for name, source in (("mine", FROM_CLIENT), ("web", FROM_CLIENT), ("db", FROM_CONFIG))
        )
    )
    bench.registrar.begin(saved, (service("web", 2), service("db")))
    assert bench.held() == {"web": 2, "db": 1, "mine": 1}
    assert bench.node.calls[0] == ("restore", ("web", FROM_CONFIG), ("db", FROM_CONFIG))
    assert bench.node.calls[-1] == ("restore", ("mine", FROM_CLIENT))
    assert bench.lines[0] == "[WARN] agent: service 'web' of a client is the configuration's now"

    bench = Bench()
    with pytest.raises(ConfigError):
        bench.registrar.begin(saved, (service("web", 2), service("bad")))
    assert bench.held() == {"mine": 1, "web": 1}  # nothing is lost for the next start


def test_warnings_are_logged_once() -> None:
    bench = Bench()
    for _ in range(2):
        bench.registrar.configure((service("odd"),))
    assert bench.lines == [
        "[WARN] agent: service 'odd': odd name",
        "[INFO] agent: services of the configuration registered: odd",
    ]


async def test_results_of_checks_go_to_the_node(
    nursery: trio.Nursery, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench()
    check = CheckDefinition(id="c", kind="script", args=("x",), interval=10.0)

    async def run(_check: CheckDefinition, _service: str) -> Result:
        await trio.lowlevel.checkpoint()
        return Result("warning", "so so", 0.5)

    bench.registrar.checks._run_check = run
    bench.registrar.take_effect(StartCheck(check, "web"))
    await nursery.start(bench.registrar.run)
    await trio.sleep(5)
    assert bench.node.calls == [("c", "warning", "so so", 0.5, 7.0)]
    bench.registrar.take_effect(StopCheck("c"))
    await trio.sleep(50)
    assert len(bench.node.calls) == 1
    nursery.cancel_scope.cancel()


def test_a_service_of_another_source_than_the_files_is_not_replaced() -> None:
    bench = Bench()
    bench.node.register_service(service("web"), FROM_CLIENT, 0.0)
    with pytest.raises(ConfigError):
        bench.registrar.configure((replace(service("web"), port=9),))
    assert bench.node.registered["web"].source == FROM_CLIENT
    assert FROM_CONFIG not in {own.source for own in bench.node.registered.values()}
