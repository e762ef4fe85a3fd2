"""Members of one name find each other on the local link, as ``serf agent -discover`` does.

We announce ourselves, answer questions, and ask at the start and every
minute, sooner while we are alone. Whoever answers and is no member yet is
joined; an address is tried again at each question, while Serf tries it once
in its life. mDNS has no secrets: anybody on the link may name addresses.
They cost a join attempt each, bounded in number, and only an encryption key
keeps strangers out.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

import trio

from gossipd.address import Address
from gossipd.agent.seeds.join import Joiner
from gossipd.agent.seeds.mdns_messages import (
    Instance,
    MdnsMessage,
    answer,
    instance_label,
    question,
    read_untrusted,
    service_of,
)
from gossipd.agent.seeds.multicast import MDNS_PORT, GroupPort, MulticastPort, SocketAddress
from gossipd.config.agent_model import AgentConfig
from gossipd.errors import UsageError, WireError
from gossipd.node.view import View
from gossipd.wire.serf_messages import MemberStatus

POLL = 60.0
"""Seconds between questions, as Serf's."""
FIRST_POLL = 1.0
"""Seconds after the first question of a node that is alone; it doubles from there."""
QUIET = 0.1
"""Answers are gathered until none came for so long (seconds, as Serf's)."""
ADDRESSES_MAX = 64
"""Addresses joined after one question."""
MESSAGES_MAX = 200
"""Messages read in one second; what comes on top is counted."""
REPLIES_MAX = 50
"""Questions answered in one second."""


def group_port(config: AgentConfig) -> MulticastPort:
    """Return the sockets that ``config`` asks for, not yet opened."""
    families = []
    if not config.mdns_disable_ipv4:
        families.append(socket.AF_INET)
    if not config.mdns_disable_ipv6:
        families.append(socket.AF_INET6)
    return MulticastPort(config.mdns_interface or config.interface, tuple(families))


class Discovery:
    """Finds and announces members of the cluster ``config.discover``.

    Args:
        config: the cluster's name, and whether old events are wanted at a join.
        own: what we advertise.
        port: how messages come and go; closed at the end.
        joiner: joins whom we find.
        view: the members we know.
        tell: takes log level and text.
    """

    def __init__(
        self,
        config: AgentConfig,
        own: Address,
        port: GroupPort,
        joiner: Joiner,
        view: Callable[[], View],
        tell: Callable[[str, str], None],
    ) -> None:
        self._config = config
        self._own = Instance(instance_label(config.node.name), own)
        self._service = service_of(config.discover)
        self._port = port
        self._joiner = joiner
        self._view = view
        self._tell = tell
        self._found: dict[Address, None] = {}
        self._tried: set[Address] = set()
        self._heard = trio.Event()
        self._counts: dict[str, int] = {}
        self._second = 0.0
        self._messages = 0
        self._replies = 0
        self._is_cut_off = False

    @property
    def lost(self) -> Mapping[str, int]:
        """Messages that were refused or could not be sent, by kind."""
        return {**self._port.lost, **self._counts}

    async def run(self) -> None:
        """Announce, answer and ask until cancelled; takes the announcement back at the end."""
        try:
            self._refresh()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._port.run, self._take)
                nursery.start_soon(self._join_found)
                await trio.lowlevel.checkpoint()
                self._port.tell(self._answer())
                await self._poll()
        finally:
            self._port.tell(self._answer(ttl=0))
            self._port.close()

    async def _poll(self) -> None:
        pause = FIRST_POLL
        while True:
            self._refresh()
            self._tried.clear()
            self._port.ask(question(self._service))
            await trio.sleep(pause)
            pause = min(2 * pause, POLL) if self._is_alone() else POLL

    def _refresh(self) -> None:
        """Look for interfaces; say so when there is none, and when there is one again."""
        try:
            count = self._port.refresh()
        except OSError as error:
            self._tell("ERR", f"agent.mdns: {error}")
            count = 0
        if (count == 0) != self._is_cut_off:
            self._is_cut_off = count == 0
            if self._is_cut_off:
                self._tell("WARN", "agent.mdns: no interface with multicast; looking again")
            else:
                self._tell("INFO", "agent.mdns: an interface with multicast is there again")

    def _answer(self, id: int = 0, **more: int) -> bytes:
        return answer(self._service, self._config.discover, self._own, id=id, **more)

    # -- messages in ------------------------------------------------------------

    def _take(self, data: bytes, source: SocketAddress) -> None:
        now = trio.current_time()
        if now - self._second >= 1.0:
            self._second, self._messages, self._replies = now, 0, 0
        self._messages += 1
        if self._messages > MESSAGES_MAX:
            self._count("mdns-unread")
            return
        try:
            message = read_untrusted(data, self._service)
        except WireError as error:
            self._count(error.reason)
            return
        if message.is_question:
            self._reply(message, source)
        for instance in message.instances:
            self._note(instance)

    def _reply(self, message: MdnsMessage, source: SocketAddress) -> None:
        self._replies += 1
        if self._replies > REPLIES_MAX:
            self._count("mdns-unanswered")
        elif source[1] != MDNS_PORT or message.wants_unicast:
            # an asker that is no responder hears only what is sent to itself
            self._port.reply(self._answer(message.id), source)
        else:
            self._port.tell(self._answer())

    def _note(self, instance: Instance) -> None:
        address = instance.address
        if address == self._own.address or address in self._tried or address in self._found:
            return
        if len(self._found) + len(self._tried) >= ADDRESSES_MAX:
            self._count("mdns-addresses-refused")
            return
        self._found[address] = None
        self._heard.set()

    # -- joining ----------------------------------------------------------------

    async def _join_found(self) -> None:
        while True:
            await self._heard.wait()
            while self._heard.is_set():
                self._heard = trio.Event()
                await trio.sleep(QUIET)
            found, self._found = self._found, {}
            self._tried.update(found)
            known = {
                member.address
                for member in self._view().members
                if member.status is MemberStatus.ALIVE
            }
            strangers = [str(address) for address in found if address not in known]
            if strangers and not await self._join(strangers):
                return

    async def _join(self, addresses: list[str]) -> bool:
        """Join through ``addresses``; returns whether it makes sense to go on."""
        try:
            result = await self._joiner.join(addresses, replay=self._config.replay_on_join)
        except UsageError:
            return False  # we are leaving
        if result.contacted:
            self._tell("INFO", f"agent.mdns: Joined {result.contacted} hosts")
        for error in result.errors:
            self._tell("WARN", f"agent.mdns: Failed to join: {error}")
        return True

    def _is_alone(self) -> bool:
        view = self._view()
        alive = MemberStatus.ALIVE
        return all(m.name == view.name or m.status is not alive for m in view.members)

    def _count(self, kind: str) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1
