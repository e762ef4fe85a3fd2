"""Agents inside a program of somebody else, on real sockets of the loopback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import trio

from gossipd import (
    AgentConfig,
    AgentHandle,
    ConfigError,
    MembersChanged,
    NodeConfig,
    Unavailable,
    open_agent,
)
from gossipd.services.reading import read_service
from gossipd.wire.serf_messages import MemberStatus

DOCUMENT = Path(__file__).parents[2] / "docs" / "embedding.md"
SECONDS = 20.0


def config(name: str, *seeds: AgentHandle, **settings: Any) -> AgentConfig:
    return AgentConfig(
        node=NodeConfig(name=name),
        bind="127.0.0.1:0",
        profile="local",
        start_join=tuple(str(seed.view().address) for seed in seeds),
        **settings,
    )


def statuses(handle: AgentHandle) -> dict[str, MemberStatus]:
    return {member.name: member.status for member in handle.view().members}


def is_told_of_seed(said: str) -> bool:
    """Return whether the example printed the join of its seed, perhaps among others."""
    told = [line.split() for line in said.splitlines()]
    return any(words[:1] == ["member-join"] and "seed" in words for words in told)


async def test_the_example_of_the_document_works(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), flags=re.M | re.S)
    assert len([line for line in example.splitlines() if line]) <= 20
    async with open_agent(config("seed")) as seed:
        code = example.replace("0.0.0.0:7946", "127.0.0.1:0")
        code = code.replace('("10.0.0.1", "10.0.0.2")', f'("{seed.view().address}",)')
        code = code.replace("trio.run(main)", "")
        namespace: dict[str, Any] = {}
        exec(compile(code, str(DOCUMENT), "exec"), namespace)
        async with trio.open_nursery() as nursery, seed.subscribe() as events:
            nursery.start_soon(namespace["main"])
            with trio.fail_after(SECONDS):
                async for event in events:
                    names = [m.name for m in getattr(event, "members", ())]  # perhaps of several
                    if "web-1" in names:
                        break
                said = ""
                while not is_told_of_seed(said):
                    await trio.sleep(0.01)
                    said += capsys.readouterr().out
            nursery.cancel_scope.cancel()


async def test_an_agent_leaves_when_its_body_ends_and_fails_when_it_raises() -> None:
    with trio.fail_after(SECONDS):
        async with open_agent(config("a")) as a, a.subscribe(coalesced=False) as events:
            async with open_agent(config("b", a)) as b:
                assert statuses(b)["a"] is MemberStatus.ALIVE
            await trio.testing.wait_all_tasks_blocked()
            kinds = []
            async for event in events:
                if isinstance(event, MembersChanged) and event.members[0].name == "b":
                    kinds.append(event.kind)
                if kinds[-1:] == ["member-leave"]:
                    break
            with pytest.raises(ZeroDivisionError):
                async with open_agent(config("c", a)):
                    raise ZeroDivisionError
            async for event in events:
                if isinstance(event, MembersChanged) and event.kind == "member-failed":
                    assert event.members[0].name == "c"
                    break


@pytest.mark.parametrize("way", [SystemExit(3), KeyboardInterrupt()])
async def test_a_body_may_end_its_program(way: BaseException) -> None:
    """Out of an exception group the exit code would be 1, with a traceback."""
    with pytest.raises(type(way)) as caught:
        async with open_agent(config("a")):
            raise way
    assert caught.value is way


async def test_services_of_the_program_are_registered_and_drained_at_its_end() -> None:
    web = read_service({"name": "web", "port": 80})
    async with open_agent(config("a")) as a:
        async with open_agent(config("b", a, services=(web,), drain_on_leave=1.0)) as b:
            assert b.statistics().levels["own_services"] == 1
            with trio.fail_after(SECONDS):
                while not a.statistics().levels.get("instances_passing"):  # noqa: ASYNC110 - a view tells nobody
                    await trio.sleep(0.02)
            began = trio.current_time()
        assert trio.current_time() - began >= 1.0
        assert not a.statistics().levels["instances_passing"]
    held = read_service({"name": "web", "check": {"held": True}})
    with pytest.raises(ConfigError, match="held"):
        async with open_agent(config("a", services=(held,))):
            pytest.fail("it cannot have started")


async def test_errors_of_the_start_are_raised_as_they_are() -> None:
    with pytest.raises(ConfigError, match="leave_timeout"):
        async with open_agent(config("a", leave_timeout=0.0)):
            pytest.fail("it cannot have started")
    async with open_agent(config("a")) as a:
        taken = str(a.view().address)
        with pytest.raises(ConfigError, match="in use"):
            async with open_agent(AgentConfig(node=NodeConfig(name="b"), bind=taken)):
                pytest.fail("it cannot have started")
    with pytest.raises(Unavailable, match="could not join"):
        async with open_agent(
            AgentConfig(node=NodeConfig(name="b"), bind="127.0.0.1:0", start_join=(taken,))
        ):
            pytest.fail("it cannot have started")


async def test_an_agent_that_was_made_to_leave_ends_its_streams_and_not_the_body() -> None:
    with trio.fail_after(SECONDS):
        async with open_agent(config("a")) as a:
            async with a.subscribe() as events:
                await a.leave()
                async for _ in events:
                    pass
            went_on = True
    assert went_on


async def test_a_cancelled_body_stops_the_agent_at_once() -> None:
    with trio.fail_after(SECONDS), trio.CancelScope() as scope:
        async with open_agent(config("a")):
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
