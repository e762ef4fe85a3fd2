"""mDNS on an in-memory link: who is found is joined, again if need be, and floods are counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from gossipd.address import address_from_host
from gossipd.agent.seeds.discovery import ADDRESSES_MAX, MESSAGES_MAX, REPLIES_MAX, Discovery
from gossipd.agent.seeds.mdns_messages import Instance, answer, question, read_untrusted, service_of
from gossipd.agent.seeds.multicast import SocketAddress, Take
from gossipd.config.agent_model import AgentConfig
from gossipd.config.model import NodeConfig
from gossipd.node.handle import JoinResult
from gossipd.node.view import View
from support.fake_handle import make_member, make_view

BLUE = service_of("blue")
OWN = address_from_host("10.0.0.1", 7946)
STRANGER: SocketAddress = ("10.0.0.2", 40000)


class Link:
    """``GroupPort`` in the test's hand."""

    def __init__(self) -> None:
        self.lost: dict[str, int] = {}
        self.interfaces = 1
        self.asked: list[float] = []
        self.told: list[bytes] = []
        self.replies: list[tuple[bytes, SocketAddress]] = []
        self.take: Take | None = None
        self.is_closed = False

    def refresh(self) -> int:
        return self.interfaces

    def ask(self, data: bytes) -> None:
        assert data == question(BLUE)
        self.asked.append(trio.current_time())

    def tell(self, data: bytes) -> None:
        self.told.append(data)

    def reply(self, data: bytes, to: SocketAddress) -> None:
        self.replies.append((data, to))

    async def run(self, take: Take) -> None:
        self.take = take
        await trio.sleep_forever()

    def close(self) -> None:
        self.is_closed = True

    def hear(self, data: bytes, source: SocketAddress = STRANGER) -> None:
        assert self.take is not None
        self.take(data, source)


class Joins:
    """Stands in for the joiner."""

    def __init__(self) -> None:
        self.tried: list[list[str]] = []
        self.works = True

    async def join(self, addresses: Sequence[str], *, replay: bool) -> JoinResult:
        await trio.lowlevel.checkpoint()
        self.tried.append(list(addresses))
        return JoinResult(len(addresses) if self.works else 0, () if self.works else ("no",))


class Running:
    def __init__(self, view: Callable[[], View] | None = None) -> None:
        self.link, self.joins, self.lines = Link(), Joins(), list[str]()
        config = AgentConfig(node=NodeConfig(name="a"), discover="blue")
        self.discovery = Discovery(
            config,
            OWN,
            self.link,
            self.joins,  # type: ignore[arg-type]
            view or (lambda: make_view(make_member("a"))),
            lambda level, text: self.lines.append(f"[{level}] {text}"),
        )

    async def start(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self.discovery.run)
        await trio.sleep(0.01)


def offer(host: str, label: bytes = b"b", port: int = 7946) -> bytes:
    return answer(BLUE, "blue", Instance(label, address_from_host(host, port)))


async def test_it_announces_asks_and_takes_the_announcement_back(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    running = Running()
    async with trio.open_nursery() as inner:
        await running.start(inner)
        (announced,) = running.link.told
        (own,) = read_untrusted(announced, BLUE).instances
        assert own == Instance(b"a", OWN)
        await trio.sleep(200)
        start = running.link.asked[0]
        asked = [round(at - start) for at in running.link.asked]
        assert asked == [0, 1, 3, 7, 15, 31, 63, 123, 183]
        inner.cancel_scope.cancel()
    assert read_untrusted(running.link.told[-1], BLUE).instances == ()
    assert running.link.is_closed


async def test_with_company_it_asks_once_a_minute(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    running = Running(lambda: make_view(make_member("a"), make_member("b")))
    await running.start(nursery)
    await trio.sleep(200)
    start = running.link.asked[0]
    assert [round(at - start) for at in running.link.asked] == [0, 1, 61, 121, 181]


async def test_whoever_answers_is_joined_together_after_a_quiet_moment(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    running = Running()
    await running.start(nursery)
    for number in (2, 3, 2):
        running.link.hear(offer(f"10.0.0.{number}"))
        await trio.sleep(0.05)
    running.link.hear(offer("10.0.0.1", b"a"))
    await trio.sleep(0.5)
    assert running.joins.tried == [["10.0.0.2:7946", "10.0.0.3:7946"]]
    assert "[INFO] agent.mdns: Joined 2 hosts" in running.lines


async def test_an_address_is_tried_again_after_each_question(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    running = Running()
    running.joins.works = False
    await running.start(nursery)
    for _ in range(3):
        running.link.hear(offer("10.0.0.2"))
        running.link.hear(offer("10.0.0.2"))
        await trio.sleep(70)
    assert running.joins.tried == [["10.0.0.2:7946"]] * 3
    assert "[WARN] agent.mdns: Failed to join: no" in running.lines


async def test_members_are_not_joined_again(nursery: trio.Nursery, autojump_clock: object) -> None:
    member = make_member("b")
    running = Running(lambda: make_view(make_member("a"), member))
    await running.start(nursery)
    running.link.hear(offer(member.address.host, port=member.address.port))
    await trio.sleep(5)
    assert running.joins.tried == []


async def test_questions_are_answered_to_the_asker_or_to_all(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    running = Running()
    await running.start(nursery)
    running.link.hear(question(BLUE))
    ((data, to),) = running.link.replies
    assert to == STRANGER
    assert read_untrusted(data, BLUE).instances == (Instance(b"a", OWN),)
    told = len(running.link.told)
    plain = bytearray(question(BLUE))
    plain[-2] &= 0x7F
    running.link.hear(bytes(plain), ("10.0.0.2", 5353))
    assert len(running.link.told) == told + 1
    running.link.hear(question(service_of("red")))
    assert len(running.link.replies) == 1


async def test_floods_and_garbage_are_bounded_and_counted(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    running = Running()
    await running.start(nursery)
    running.link.hear(b"garbage")
    assert running.discovery.lost == {"mdns-bad-message": 1}
    await trio.sleep(1)
    for _ in range(MESSAGES_MAX + 10):
        running.link.hear(question(BLUE))
    assert len(running.link.replies) == REPLIES_MAX
    assert running.discovery.lost["mdns-unread"] == 10
    assert running.discovery.lost["mdns-unanswered"] == MESSAGES_MAX - REPLIES_MAX
    await trio.sleep(2)
    for number in range(ADDRESSES_MAX + 5):
        running.link.hear(offer(f"10.0.1.{number}"))
    await trio.sleep(0.3)
    (tried,) = running.joins.tried
    assert len(tried) == ADDRESSES_MAX
    assert running.discovery.lost["mdns-addresses-refused"] == 5


async def test_a_link_without_multicast_is_told_once_and_looked_for_again(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    running = Running()
    running.link.interfaces = 0
    await running.start(nursery)
    await trio.sleep(300)
    assert running.lines == ["[WARN] agent.mdns: no interface with multicast; looking again"]
    running.link.interfaces = 1
    await trio.sleep(70)
    assert len(running.lines) == 2
