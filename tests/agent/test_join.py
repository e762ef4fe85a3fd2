"""Joining: every address of every seed, dead seeds in nobody's way, retries in virtual time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from gossipd.address import Address
from gossipd.agent.driver import Driver
from gossipd.agent.seeds.addresses import LookUp, Seed, look_up_by_system, parse_seed
from gossipd.agent.seeds.join import Joiner
from gossipd.errors import UsageError
from gossipd.node.handle import JoinResult
from support.scripted_node import ScriptedNode

ONE = Address(bytes([10, 0, 0, 2]), 7946)
TWO = Address(bytes([10, 0, 0, 3]), 7946)
NAMES = {"pair": [ONE, TWO], "one": [ONE], "none": []}


async def look_up(host: str, port: int) -> list[Address]:
    await trio.sleep(0.01)
    if host == "hangs":
        await trio.sleep_forever()
    if host not in NAMES:
        raise OSError("no such host")
    return [Address(address.ip, port) for address in NAMES[host]]


class Silent:
    """Packets and streams that go nowhere."""

    def send(self, data: bytes, to: Address) -> None:
        return


def make_joiner(node: ScriptedNode, asks: LookUp = look_up) -> tuple[Joiner, Driver]:
    driver = Driver(node, Silent(), lambda _event, _now: None)  # type: ignore[arg-type]
    return Joiner(driver, asks, 7946), driver


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        ("host", Seed("", "host", 7946)),
        ("host:1", Seed("", "host", 1)),
        ("[::1]:2", Seed("", "::1", 2)),
        ("::1", Seed("", "::1", 7946)),
        ("web/10.0.0.1:3", Seed("web", "10.0.0.1", 3)),
        ("a/b/[::1]", Seed("a/b", "::1", 7946)),
    ],
)
def test_a_seed_is_a_place_with_an_optional_name(text: str, seed: Seed) -> None:
    assert parse_seed(text, 7946) == seed


@pytest.mark.parametrize("text", ["", "/10.0.0.1", "x:port", "[::1", "a/", ":7946"])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_seed(text, 7946)


async def test_every_address_of_a_name_is_tried_and_the_join_announced_once(
    autojump_clock: object,
) -> None:
    node = ScriptedNode()
    node.joins = {ONE: "", TWO: ""}
    joiner, _ = make_joiner(node)
    result = await joiner.join(["x/pair"], replay=False)
    assert result == JoinResult(2)
    joins = sorted(str(call[1:4]) for call in node.calls if call[0] == "join")
    assert joins == sorted(str((to, "x", True)) for to in (ONE, TWO))
    assert node.verbs().count("announce_join") == 1


async def test_a_seed_that_never_answers_does_not_hold_up_the_others(
    autojump_clock: object,
) -> None:
    node = ScriptedNode()
    node.joins = {ONE: ""}
    joiner, driver = make_joiner(node)
    with trio.move_on_after(60):
        await joiner.join(["10.0.0.3", "hangs", "10.0.0.2"], replay=False)
    reached = next(call for call in node.calls if call[0] == "join" and call[1] == ONE)
    moment = reached[-1]
    assert isinstance(moment, float)
    assert moment < trio.current_time() - 59
    assert len(driver._operations) == 0


async def test_each_failed_address_gets_its_own_line(autojump_clock: object) -> None:
    node = ScriptedNode()
    node.joins = {ONE: "dial tcp 10.0.0.2:7946: connect: connection refused"}
    joiner, _ = make_joiner(node)
    result = await joiner.join(["nobody", "10.0.0.2", "none", "hangs", "a:b:c:"], replay=True)
    assert result.contacted == 0
    assert sorted(result.errors) == [
        "Failed to join 10.0.0.2: dial tcp 10.0.0.2:7946: connect: connection refused",
        "Failed to resolve a:b:c:: lookup a:b:c:: no such host",
        "Failed to resolve hangs: lookup hangs: no answer within 5s",
        "Failed to resolve nobody: lookup nobody: no such host",
        "Failed to resolve none: lookup none: no address",
    ]
    assert "announce_join" not in node.verbs()


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "\udcff"])
async def test_what_no_resolver_takes_is_a_seed_that_failed(host: str) -> None:
    joiner, _ = make_joiner(ScriptedNode(), look_up_by_system)
    result = await joiner.join([host], replay=False)
    assert result.contacted == 0
    assert result.errors == (f"Failed to resolve {host}: lookup {host}: not a host name",)


async def test_no_seed_at_all_is_no_contact_and_no_error(autojump_clock: object) -> None:
    joiner, _ = make_joiner(ScriptedNode())
    assert await joiner.join([], replay=False) == JoinResult(0)


async def test_a_leaving_node_refuses_to_join(autojump_clock: object) -> None:
    node = ScriptedNode()
    node.is_leaving = True
    joiner, _ = make_joiner(node)
    with pytest.raises(UsageError, match="Serf can't Join after Leave or Shutdown"):
        await joiner.join(["10.0.0.2"], replay=False)


async def test_unlimited_retries_start_after_a_second_and_double_up_to_the_interval(
    autojump_clock: object,
) -> None:
    node = ScriptedNode()
    node.joins = {ONE: "refused"}
    joiner, _ = make_joiner(node)
    start = trio.current_time()
    with trio.move_on_after(100):
        await joiner.retry_until_joined(
            ["10.0.0.2"], replay=False, interval=30.0, attempts_max=0, tell=lambda *_: None
        )
    times = [call[-1] - start for call in node.calls if call[0] == "join"]  # type: ignore[operator]
    assert times == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 61.0, 91.0]


async def test_limited_retries_wait_the_whole_interval_as_serf_does(
    autojump_clock: object,
) -> None:
    node = ScriptedNode()
    node.joins = {ONE: "refused"}
    joiner, _ = make_joiner(node)
    said: list[tuple[str, str]] = []
    start = trio.current_time()
    joined = await joiner.retry_until_joined(
        ["10.0.0.2"],
        replay=False,
        interval=30.0,
        attempts_max=4,
        tell=lambda level, text: said.append((level, text)),
    )
    assert not joined
    times = [call[-1] - start for call in node.calls if call[0] == "join"]  # type: ignore[operator]
    assert times == [0.0, 30.0, 60.0, 90.0, 120.0]
    assert said[0] == ("INFO", "agent: Joining cluster...(replay: false)")
    assert said[1] == (
        "WARN",
        "agent: Join failed: Failed to join 10.0.0.2: refused, retrying in 30s",
    )
    assert said[-1] == ("ERR", "agent: maximum retry join attempts made, exiting")


async def test_retrying_asks_for_the_name_again_and_ends_with_the_first_success(
    autojump_clock: object,
) -> None:
    node = ScriptedNode()
    node.joins = {ONE: "refused", TWO: ""}
    answers: Iterator[list[Address]] = iter([[ONE], [], [TWO]])

    async def moving(host: str, port: int) -> list[Address]:
        await trio.lowlevel.checkpoint()
        return next(answers)

    joiner, _ = make_joiner(node, moving)
    assert await joiner.retry_until_joined(
        ["seed"], replay=True, interval=1.0, attempts_max=0, tell=lambda _level, _text: None
    )
    tried = [call[1:4] for call in node.calls if call[0] == "join"]
    assert tried == [(ONE, "", False), (TWO, "", False)]
    assert node.verbs()[-1] == "announce_join"
