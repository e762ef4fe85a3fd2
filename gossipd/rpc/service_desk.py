"""``ServiceDesk``: what all connections share that ask about services.

Encoded answers, who holds which registration, and the watches. A watch has no
task and no queue: it is a number in a list (the index up to which its client
was told), and when its service changes it is sent what the change log has
after it. A few are sent it within the step of the node in which it changed, before any
peer is told: sending wakes others, who may take the processor. Only a client that does
not read gets a task, until it has caught up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from gossipd.query.framing import encode
from gossipd.rpc.service_answers import Encoded

if TYPE_CHECKING:
    from gossipd.rpc.sending import Sender
    from gossipd.rpc.service import Service
    from gossipd.rpc.services import Services
    from gossipd.services import definition

WATCHES_A_TURN = 128
"""Watches that are told before other tasks get a turn."""
WATCHES_A_STEP, STEP_SECONDS = 8, 0.002
"""So many are told at once within so long, while gossip waits: some 0.4 ms. The rest, and
what changes beside, have a turn of their own."""


class Watch:
    """One watch: its number, what of which service it was told, and to whom it is told."""

    __slots__ = ("index", "is_behind", "is_over", "name", "peer", "sender", "seq")

    def __init__(self, sender: Sender, seq: int, name: str, index: int, peer: str) -> None:
        self.sender = sender
        self.seq = seq
        self.name = name
        self.index = index
        self.peer = peer
        self.is_behind = False
        """A task sends what it has missed."""
        self.is_over = False


class Holding:
    """A registration that connections hold; ``service`` as they registered it, if it is one."""

    __slots__ = ("_holders", "service")

    def __init__(self, service: definition.Service | None) -> None:
        self.service = service
        self._holders: dict[Services, None] = {}

    def add(self, holder: Services) -> None:
        """``holder`` holds it too."""
        self._holders[holder] = None

    def remove(self, holder: Services) -> bool:
        """``holder`` is gone; return whether it was the last one."""
        if holder not in self._holders:
            return False
        del self._holders[holder]
        return not self._holders

    @property
    def is_shared(self) -> bool:
        """Whether several hold it."""
        return len(self._holders) > 1

    def has_other_than(self, holder: Services) -> bool:
        """Return whether anybody but ``holder`` holds it."""
        return any(one is not holder for one in self._holders)


class ServiceDesk:
    """What all connections share that ask about services."""

    def __init__(self, service: Service) -> None:
        self.encoded = Encoded()
        self.holdings: dict[tuple[str, str], Holding] = {}
        """What connections hold, by kind and id."""
        self.watches = 0
        self._service = service
        self._handle = service.handle
        self._watched: dict[str, dict[Watch, None]] = {}
        self._unhook: dict[str, Callable[[], None]] = {}
        self._changed: dict[str, None] = {}
        self._is_telling = False
        self._told_at_once = 0
        self._told_since = float("-inf")

    def hold(
        self, key: tuple[str, str], holder: Services, service: definition.Service | None = None
    ) -> None:
        """Let a registration live with ``holder`` too, or with it alone if it is another one.

        A check is held by who reported it last: nobody else's word counts.
        """
        holding = self.holdings.get(key)
        if holding is None or service is None or holding.service != service:
            holding = self.holdings[key] = Holding(service)
        holding.add(holder)

    def let_go(self, key: tuple[str, str], holder: Services) -> bool:
        """``holder`` is gone; return whether the registration goes with it."""
        holding = self.holdings.get(key)
        if holding is None or not holding.remove(holder):
            return False
        del self.holdings[key]
        return True

    def add(self, watch: Watch) -> None:
        """Tell ``watch`` of every change from now on; what it lacks already, it is told soon."""
        watches = self._watched.get(watch.name)
        if watches is None:
            name = watch.name
            watches = self._watched[name] = {}
            self._unhook[name] = self._handle.on_service_change(name, lambda: self._wake(name))
        watches[watch] = None
        self.watches += 1

    def remove(self, watch: Watch) -> None:
        """Tell ``watch`` nothing more."""
        watch.is_over = True
        watches = self._watched[watch.name]
        del watches[watch]
        self.watches -= 1
        if not watches:
            del self._watched[watch.name]
            self._unhook.pop(watch.name)()

    def news_for(self, watch: Watch) -> bytes:
        """Return the records that ``watch`` lacks, and count them as told; empty without any."""
        index, bodies = self._bodies_after(watch.name, watch.index)
        watch.index = index
        return _records(watch.seq, bodies)

    def first_news_for(self, watch: Watch) -> bytes:
        """Return what a watch begins with: the changes after its index, or the whole set."""
        if not watch.index:
            watch.index = -1
        return self.news_for(watch)

    def _bodies_after(self, name: str, index: int) -> tuple[int, list[bytes]]:
        """Return the newest index of a service, and its records after ``index``."""
        handle = self._handle
        view, now = handle.service(name), handle.now()
        if index == view.index:
            return index, []
        # an index that is not ours yet, or no more, begins again with the set
        changes = handle.service_changes(name, index) if 0 <= index < view.index else None
        if changes is None:
            return view.index, [self.encoded.set_body(view, now)]
        change_body, is_guarded = self.encoded.change_body, view.is_guarded
        bodies = [change_body(change, is_guarded, now) for change in changes]
        self.encoded.tidy(view)
        return view.index, bodies

    # -- telling ----------------------------------------------------------------

    def _wake(self, name: str) -> None:
        """A service changed: tell the first of its watches now, and the others soon."""
        try:
            if not self._is_telling and self._tell_first(name):
                return
        except Exception:
            self._service.report_defect("watches")
        self._changed[name] = None
        if not self._is_telling:
            self._is_telling = True
            self._service.nursery.start_soon(self._service.contain, "watches", self._tell_all)

    def _tell_first(self, name: str) -> bool:
        """Tell as many watches as may be told at once; return whether these were all."""
        now = self._handle.now()
        if now - self._told_since >= STEP_SECONDS:
            self._told_since, self._told_at_once = now, 0
        known: dict[int, tuple[int, list[bytes]]] = {}
        for watch in self._watched.get(name, ()):
            if watch.is_behind:
                continue
            if self._told_at_once >= WATCHES_A_STEP:
                return False
            self._told_at_once += 1
            self._tell_one(watch, known)
        return True

    async def _tell_all(self) -> None:
        try:
            while self._changed:
                name = next(iter(self._changed))
                del self._changed[name]
                await self._tell(name)
        finally:
            self._is_telling = False

    async def _tell(self, name: str) -> None:
        known: dict[int, tuple[int, list[bytes]]] = {}  # most watches lack the same
        for count, watch in enumerate(tuple(self._watched.get(name, ())), 1):
            if not watch.is_over and not watch.is_behind:
                self._tell_one(watch, known)
            if count % WATCHES_A_TURN == 0:
                await trio.lowlevel.checkpoint()
                known.clear()

    def _tell_one(self, watch: Watch, known: dict[int, tuple[int, list[bytes]]]) -> None:
        lacks = known.get(watch.index)
        if lacks is None:
            lacks = known[watch.index] = self._bodies_after(watch.name, watch.index)
        index, bodies = lacks
        if not bodies:
            watch.index = index
            return
        if watch.sender.send_now(_records(watch.seq, bodies)):
            watch.index = index
            if not watch.sender.has_unsent:
                return
        watch.is_behind = True
        self._service.nursery.start_soon(
            self._service.contain, watch.peer, self._let_catch_up, watch
        )

    async def _let_catch_up(self, watch: Watch) -> None:
        """Send a client that does not read what it lacks, as fast as it takes it."""
        try:
            if watch.sender.has_unsent:
                await watch.sender.flush()
            while not watch.is_over and (news := self.news_for(watch)):
                await watch.sender.send(news)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # its connection notices, and ends the watch
        finally:
            watch.is_behind = False


def _records(seq: int, bodies: Sequence[bytes]) -> bytes:
    """Return the bodies as records of request ``seq``."""
    head = encode({"Error": "", "Seq": seq})
    return b"".join([head + body for body in bodies])
