"""``ServiceBalancer``: requests to the instances of a service, from any thread.

A thread of its own follows a watch on a connection of its own and keeps the
set; while the daemon is away, the last known set is used and the thread tries
to come back. What is chosen, and why, is ``gossipd.balance``'s.
"""

from __future__ import annotations

import threading
import time
from random import Random

from gossipd.balance.attempts import Attempts
from gossipd.balance.balancer import Balancer
from gossipd.balance.outcome import is_failure as looks_failed
from gossipd.balance.policies import NEAREST, P2C, ZONE
from gossipd.balance.settings import settings_from
from gossipd.client.at import At, verdict
from gossipd.client.connection import RequestRefused
from gossipd.client.following import WAIT_SECONDS, Distances, retry_after
from gossipd.errors import GossipdError, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType
    from typing import Any, Protocol, Self, TypeVar

    from gossipd.balance.balancer import Pick
    from gossipd.balance.reports import BalancerReport
    from gossipd.query.replies import CoordinateReply
    from gossipd.services.instance import Instance, ServiceChange, ServiceReset
    from gossipd.services.own import OwnServices

    T = TypeVar("T")

    class Updates(Protocol):
        """What a balancer needs of a watch."""

        def __next__(self) -> ServiceReset | ServiceChange: ...
        def next_within(self, seconds: float) -> ServiceReset | ServiceChange | None: ...

    class Connection(Protocol):
        """What a balancer needs of a client; ``Client`` has it."""

        def watch(self, name: str, index: int = 0) -> Updates: ...
        def own_services(self) -> OwnServices: ...
        def coordinate(self, node: str) -> CoordinateReply | None: ...
        def stats(self) -> dict[str, dict[str, str]]: ...
        def shut_down(self) -> None: ...
        def close(self) -> None: ...


CLOSE_SECONDS = 5.0
"""How long ``close`` waits for the thread, which may be about to connect."""


class ServiceBalancer:
    """Chooses instances of one service; use it as a context manager.

    Args:
        name: of the service.
        connect: opens a connection to the daemon.
        policy: ``p2c`` (the default), ``round-robin``, ``random``, ``weighted``, ``least``,
            ``nearest``, ``zone`` or ``hash``.
        zone: for the policy ``zone``; by default that of the daemon's node.
        wait: seconds that entering waits for the first set.
        random: where chance comes from.
        settings: any of ``gossipd.balance.settings.BalanceSettings`` by name.

    It is entered in the process that uses it: a thread does not survive a fork.
    Entering raises ``Unavailable`` when no set came in time, ``RequestRefused`` when the
    daemon knows no services.

    Raises:
        UsageError: the policy or a setting is unknown or wrong.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Connection],
        *,
        policy: str = P2C,
        zone: str | None = None,
        wait: float = WAIT_SECONDS,
        random: Random | None = None,
        **settings: Any,
    ) -> None:
        self.name = name
        self._connect = connect
        self._wait = wait
        self._random = random or Random()
        self._zone = zone
        self._lock = threading.Lock()
        self._balancer = Balancer(
            name,
            self._random,
            policy=policy,
            settings=settings_from(settings),
            zone=zone or "",
        )
        self._distances = Distances()
        self._connection: Connection | None = None
        self._has_set = False
        self._settled = threading.Event()
        """There is a set, or the daemon refuses to tell."""
        self._closing = threading.Event()
        self._trouble: Exception | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._closing.clear()
        self._thread = threading.Thread(
            target=self._follow, name=f"gossipd balancer {self.name}", daemon=True
        )
        self._thread.start()
        # entered again, it has the set from before
        self._settled.wait(self._wait)
        if not self._has_set:
            self.close()
            if isinstance(self._trouble, RequestRefused):
                raise self._trouble
            why = f": {self._trouble}" if self._trouble else ""
            raise Unavailable(
                f"{self.name}: no answer about it within {self._wait:g} s{why}"
            ) from self._trouble
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the watch; instances that were chosen may still be used."""
        self._closing.set()
        with self._lock:
            if self._connection is not None:
                self._connection.shut_down()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All known instances, whatever their status."""
        with self._lock:
            return self._balancer.instances

    def snapshot(self) -> BalancerReport:
        """Return what this balancer knows and thinks of each instance."""
        with self._lock:
            return self._balancer.snapshot(time.monotonic())

    def pick(
        self, *, key: str | bytes | None = None, exclude: Collection[Instance] = ()
    ) -> Picking:
        """Choose an instance for the time of a ``with``; nothing is tried again.

        An exception that leaves the block counts against the instance, unless it is about
        an answer below 500; so does ``at.fail()``.

        Args:
            key: what the request is about; the policy ``hash`` keeps it with one instance.
            exclude: instances that were tried already.

        Entering raises ``NoInstance`` if there is none.
        """
        return Picking(self, key, [instance.key for instance in exclude])

    def call(
        self,
        send: Callable[[At], T],
        *,
        attempts: int = 3,
        idempotent: bool = False,
        timeout: float | None = None,
        attempt_timeout: float | None = None,
        key: str | bytes | None = None,
        is_failure: Callable[[Any], bool] = looks_failed,
    ) -> T:
        """Return what ``send(at)`` returns; when it fails, try another instance.

        Tries again within the retry budget, ``attempts`` and ``timeout``. When none is
        left, the last answer is returned, or its exception raised.

        Args:
            send: sends the request; ``at.timeout`` says how long that may take.
            attempts: at most so many, the first included.
            idempotent: whether the request may be sent twice. If not, it is tried again only
                if no connection came about.
            timeout: seconds for all attempts together.
            attempt_timeout: seconds for one; by default an equal part of what is left.
            key: as for ``pick``.
            is_failure: told what ``send`` returned or raised; by default any exception and
                any status of 500 and above is one.

        Raises:
            NoInstance: there is none to begin with.
            UsageError: a number makes no sense.
        """
        now = time.monotonic()
        calls = Attempts(
            self._balancer,
            now,
            attempts=attempts,
            idempotent=idempotent,
            timeout=timeout,
            attempt_timeout=attempt_timeout,
            key=key,
            judge=is_failure,
        )
        with self._lock:
            pick: Pick | None = calls.begin(now)
        while pick is not None:
            at = At(pick.instance, calls.time_for_attempt(time.monotonic()))
            error: Exception | None = None
            try:
                try:
                    answer = send(at)
                except Exception as raised:
                    error = raised
                outcome = answer if error is None else error
                # without the lock: the judge may be slow, or ask this very balancer
                failed = at.is_failed or calls.judged(outcome)
            except BaseException:
                with self._lock:
                    calls.give_up(time.monotonic())
                raise
            with self._lock:
                pick = calls.again(outcome, time.monotonic(), failed)
        if error is not None:
            raise error
        return answer

    # --- below: for ``Picking``, and the thread ----------------------------------

    def start(self, key: str | bytes | None, exclude: Collection[tuple[str, str]]) -> Pick:
        """Choose under the lock; for ``Picking``."""
        with self._lock:
            return self._balancer.pick(time.monotonic(), key, exclude)

    def finish(self, pick: Pick, ok: bool | None) -> None:
        """Say how it went, under the lock; for ``Picking``."""
        with self._lock:
            pick.done(time.monotonic(), ok)

    def _follow(self) -> None:
        tries = 0
        while not self._closing.is_set():
            before = self._balancer.index
            try:
                self._follow_once()
            except (GossipdError, OSError) as error:
                self._trouble = error
                if isinstance(error, RequestRefused) and not self._has_set:
                    self._settled.set()
                    return
            with self._lock:
                self._balancer.lost_sight(time.monotonic())
            tries = 0 if self._balancer.index != before else tries + 1
            self._closing.wait(retry_after(tries, self._random))

    def _follow_once(self) -> None:
        connection = self._connect()
        with self._lock:
            self._connection = connection
            is_late = self._closing.is_set()
        try:
            if is_late:
                return
            self._find_zone(connection)
            updates = connection.watch(self.name, self._balancer.index)
            if self._has_set:
                with self._lock:
                    self._balancer.in_sight()
            while True:
                update = self._next(updates)
                if update is not None:
                    with self._lock:
                        self._balancer.apply(update, time.monotonic())
                    self._has_set = True
                    self._settled.set()
                self._find_distances(connection)
        finally:
            with self._lock:
                self._connection = None
            connection.close()

    def _next(self, updates: Updates) -> ServiceReset | ServiceChange | None:
        """Return the next change, or ``None`` when distances are to be looked up again."""
        if self._balancer.policy != NEAREST:
            return next(updates)
        return updates.next_within(self._distances.due_in(time.monotonic()))

    def _find_zone(self, connection: Connection) -> None:
        if self._balancer.policy == ZONE and self._zone is None:
            self._zone = connection.own_services().node.zone
            with self._lock:
                self._balancer.set_zone(self._zone)

    def _find_distances(self, connection: Connection) -> None:
        if self._balancer.policy != NEAREST:
            return
        with self._lock:
            wanted = self._distances.wanted(self._balancer, time.monotonic())
        if not wanted:
            return
        here = connection.coordinate(connection.stats()["agent"]["name"])
        for owner in wanted:
            self._distances.learn(owner, here, connection.coordinate(owner))
        with self._lock:
            self._balancer.set_distances(self._distances.known)


class Picking:
    """The ``with`` of ``ServiceBalancer.pick``."""

    __slots__ = ("_at", "_balancer", "_exclude", "_key", "_pick")

    def __init__(
        self,
        balancer: ServiceBalancer,
        key: str | bytes | None,
        exclude: Collection[tuple[str, str]],
    ) -> None:
        self._balancer = balancer
        self._key = key
        self._exclude = exclude
        self._pick: Pick
        self._at: At

    def __enter__(self) -> At:
        self._pick = self._balancer.start(self._key, self._exclude)
        self._at = At(self._pick.instance)
        return self._at

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._balancer.finish(self._pick, verdict(self._at, error))
