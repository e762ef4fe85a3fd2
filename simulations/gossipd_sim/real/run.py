"""A plan among real processes, in real time.

Every process is started, signalled and ended here, by its id. What happens and
who hears of it goes into the same books (``Spreads``) as in the simulator. A
new process counts from the moment when it answers: until then it is being
loaded, which takes no time in the simulator. From then on its gossip ticks, for
which the news of its return must wait. One with memory may rejoin before it answers:
whoever shows it by then has heard at once.
"""

from __future__ import annotations

import json
import secrets
import signal
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from gossipd.errors import GossipdError, Unavailable
from gossipd.serf.events import ChangeKind
from gossipd.value import Value
from gossipd_sim.faults import (
    Crash,
    Fault,
    Freeze,
    HostFault,
    Join,
    Leave,
    Restart,
    Start,
    Thaw,
)
from gossipd_sim.news import News, Spread, Spreads, Witness
from gossipd_sim.real.loopback import LoopbackRange
from gossipd_sim.real.member import RealMember
from gossipd_sim.real.plan import RealPlan
from gossipd_sim.real.process import AgentProcess
from gossipd_sim.real.programs import SERF, AgentKind, AgentOptions, has_serf
from gossipd_sim.selectors import plain_names

GOSSIP_PORT, RPC_PORT = 7946, 7373
MEET_SECONDS = 100.0
"""All must show all as alive this soon: what gossip missed comes with the next push/pull."""
LOOK_SECONDS = 0.2
FOLDER_PREFIX = "gossipd-real-"

Advance = Callable[[float, str], None]


class RealOutcome(Value, kw_only=True):
    """What came of it; ``finished`` tells if the plan was done to its end."""

    kind: str
    spreads: tuple[Spread, ...]
    finished: bool
    seconds: float
    """How long the cluster was watched."""
    troubles: tuple[str, ...]
    """What could not be done: a process that did not come up again, or did not join."""


def check_program(kind: AgentKind) -> None:
    """Refuse a program that is not there.

    Raises:
        Unavailable: says how to get it.
    """
    if kind is SERF and not has_serf():
        raise Unavailable(
            "the serf program is not installed (Debian: apt install serf);"
            " --real gossipd needs nothing more"
        )


def run_real(kind: AgentKind, plan: RealPlan, advance: Advance) -> RealOutcome:
    """Start the members, do to them what the plan says and return who learned of it when.

    SIGINT and SIGTERM end it early and keep what was heard; every process has
    ended when this returns or raises.

    Args:
        advance: told the seconds that passed of the plan's horizon, and what happens.

    Raises:
        Unavailable: the program is missing, or agents do not come up or do not meet.
    """
    check_program(kind)
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as folder, LoopbackRange() as hosts:
        cluster = RealCluster(kind, plan, Path(folder), hosts, advance)
        try:
            trio.run(cluster.run)
        except* GossipdError as errors:
            raise _first(errors) from None
        finally:
            cluster.end()
        return cluster.outcome()


def _first(errors: BaseExceptionGroup[GossipdError]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


class RealCluster:
    """The members of one run, and the books.

    Args:
        folder: for logs and sockets.
        hosts: gives each member an address of its own.
    """

    def __init__(
        self,
        kind: AgentKind,
        plan: RealPlan,
        folder: Path,
        hosts: LoopbackRange,
        advance: Advance,
    ) -> None:
        self._kind = kind
        self._plan = plan
        self._advance = advance
        self._spreads = Spreads()
        self._members = {
            name: RealMember(AgentProcess(kind, options), self._hear)
            for name, options in _options(kind, plan, folder, hosts)
        }
        self._seeds: dict[str, Sequence[str]] = {}
        """By host: the addresses that its last join went through; a restart takes the same."""
        self._early: dict[str, list[tuple[Witness, float]]] = {}
        """By host that starts with memory: who showed it before it answered us, and when."""
        self._origin = 0.0
        self._watched = 0.0
        self._finished = False
        self._troubles: list[str] = []

    def outcome(self) -> RealOutcome:
        """Return what was heard so far."""
        return RealOutcome(
            kind=self._kind.name,
            spreads=self._spreads.spreads(),
            finished=self._finished,
            seconds=self._watched,
            troubles=tuple(self._troubles),
        )

    def end(self) -> None:
        """End every process; an interrupt waits until that is done."""
        held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            for member in self._members.values():
                member.process.signal(signal.SIGKILL)
            for member in self._members.values():
                member.process.end()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)

    async def run(self) -> None:
        """Do all of the plan; a signal cancels the rest of it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on_signal, nursery.cancel_scope)
            try:
                await self._bootstrap(nursery)
                await self._suffer(nursery)
                self._finished = True
            finally:
                if self._origin:
                    self._watched = trio.current_time() - self._origin
            nursery.cancel_scope.cancel()

    # -- coming up -----------------------------------------------------------------

    async def _bootstrap(self, nursery: trio.Nursery) -> None:
        """Start all that are not late and wait until each shows all as alive.

        Time 0 of the plan is then so long ago as its own bootstrap takes.
        """
        boots = self._plan.boots
        self._advance(0.0, f"starting {len(boots)} agents")
        async with trio.open_nursery() as starting:
            for boot in boots:
                starting.start_soon(self._members[boot.hosts].start, nursery, LOOK_SECONDS)
        async with trio.open_nursery() as joining:
            for boot in boots:
                if boot.to:
                    self._seeds[boot.hosts] = self._addresses(boot.to)
                    member = self._members[boot.hosts]
                    joining.start_soon(member.join, self._seeds[boot.hosts])
        await self._meet([boot.hosts for boot in boots])
        self._origin = trio.current_time() - max(boot.at for boot in boots)

    async def _meet(self, names: Sequence[str]) -> None:
        """Wait until each of ``names`` shows all of them as alive."""
        expected = dict.fromkeys(names, "alive")
        waiting = list(names)
        with trio.move_on_after(MEET_SECONDS):
            while waiting:
                self._advance(0.0, f"{len(waiting)} of {len(names)} do not know all")
                while waiting and await self._members[waiting[-1]].statuses() == expected:
                    waiting.pop()
                await trio.sleep(LOOK_SECONDS)
            return
        raise Unavailable(
            f"{len(waiting)} of {len(names)} {self._kind.name} agents do not show all others"
            f" as alive after {MEET_SECONDS:g} s"
        )

    # -- what befalls them ------------------------------------------------------------

    async def _suffer(self, nursery: trio.Nursery) -> None:
        """Do what the plan says when it says so, then wait until all news is heard."""
        async with trio.open_nursery() as doing:
            for fault in self._plan.faults:
                await self._pass_until(fault.at, fault.describe())
                for name in plain_names(fault.hosts) if isinstance(fault, HostFault) else ():
                    doing.start_soon(self._try, fault, self._members[name], nursery)
        horizon = self._plan.scenario.horizon
        while self._spreads.waiting and self._now() < horizon:
            left = f"{self._spreads.waiting} have not heard yet"
            await self._pass_until(min(self._now() + LOOK_SECONDS, horizon), left)

    async def _pass_until(self, at: float, note: str) -> None:
        before = self._now()
        await trio.sleep_until(self._origin + at)
        self._advance(max(0.0, self._now() - max(before, 0.0)), note)

    async def _try(self, fault: Fault, member: RealMember, nursery: trio.Nursery) -> None:
        try:
            await self._befall(fault, member, nursery)
        except Unavailable as error:  # the others go on, and what was heard is kept
            self._troubles.append(f"{fault.describe()}: {error}")

    async def _befall(self, fault: Fault, member: RealMember, nursery: trio.Nursery) -> None:
        async with member.busy:
            match fault:
                case Crash():
                    self._begin(News.CRASH, member)
                    member.kill()
                case Leave():
                    self._begin(News.LEAVE, member)
                    member.is_leaving = True
                    await member.leave()
                case Freeze():
                    self._begin(News.FREEZE, member)
                    member.freeze()
                case Thaw():
                    member.thaw()
                    self._begin(News.RETURN, member)
                case Start() | Restart():
                    await self._start(fault, member, nursery)
                case Join():
                    self._seeds[member.name] = self._addresses(fault.to)
                    await member.join(self._seeds[member.name])
                case _:
                    raise AssertionError(f"{fault!r} is in no plan")

    async def _start(
        self, fault: Start | Restart, member: RealMember, nursery: trio.Nursery
    ) -> None:
        remembers = isinstance(fault, Restart) and fault.remember
        if not remembers:
            _snapshot_of(member.options.folder, member.name).unlink(missing_ok=True)
        if remembers:
            await self._come_back(member, nursery)
            return
        up_at = await member.start(nursery)
        seeds = self._addresses(fault.to) if isinstance(fault, Start) and fault.to else ()
        seeds = seeds or self._seeds.get(member.name, ()) or self._some_other(member)
        self._seeds[member.name] = seeds
        self._begin(News.JOIN if member.life == 1 else News.RETURN, member, up_at)
        if seeds:
            await member.join(seeds)

    async def _come_back(self, member: RealMember, nursery: trio.Nursery) -> None:
        """Start a process that rejoins by itself, perhaps before it answers us."""
        early = self._early[member.name] = []
        try:
            up_at = await member.start(nursery)
        finally:
            del self._early[member.name]
        self._begin(News.RETURN, member, up_at)
        for witness, at in early:
            self._spreads.hear(witness, ChangeKind.JOIN, member.name, at)

    def _begin(self, news: News, member: RealMember, at: float | None = None) -> None:
        """Open the books on ``news`` of ``member`` that happened at ``at``, by default now.

        It is no witness of others any more, unless it is back.
        """
        if news not in (News.JOIN, News.RETURN):
            self._spreads.drop((member.name, member.life))
        moment = trio.current_time() if at is None else at
        self._spreads.begin(news, member.name, moment, self._witnesses(member))

    def _witnesses(self, subject: RealMember) -> list[Witness]:
        return [
            (member.name, member.life)
            for member in self._members.values()
            if member is not subject and member.is_witness
        ]

    def _hear(self, viewer: str, life: int, change: ChangeKind, node: str, at: float) -> None:
        subject = self._members.get(node)
        early = self._early.get(node)
        if early is not None and change is ChangeKind.JOIN:
            early.append(((viewer, life), at))
            return
        if subject is None or self._spreads.hear((viewer, life), change, node, at):
            return
        is_well = subject.is_witness and self._origin
        if change is ChangeKind.FAILED and is_well:
            self._spreads.begin(News.FALSE_ALARM, node, at, self._witnesses(subject))
            self._spreads.hear((viewer, life), change, node, at)

    # -- small things ------------------------------------------------------------------

    def _now(self) -> float:
        """Return the seconds of the plan."""
        return trio.current_time() - self._origin

    def _addresses(self, selector: str) -> Sequence[str]:
        return tuple(self._members[name].options.bind for name in plain_names(selector))

    def _some_other(self, member: RealMember) -> Sequence[str]:
        others = [one for one in self._members.values() if one.is_witness and one is not member]
        return tuple(one.options.bind for one in others[:1])


def _options(
    kind: AgentKind, plan: RealPlan, folder: Path, hosts: LoopbackRange
) -> list[tuple[str, AgentOptions]]:
    token = secrets.token_hex(16)  # no other user of this machine shall ask these agents
    more = list(plan.settings)
    if kind is SERF:  # which takes a token from a file only
        config = folder / "serf.json"
        config.write_text(json.dumps({"rpc_auth": token}), encoding="utf-8")
        more += ["-config-file", str(config)]
    found = []
    for name in plan.names:
        host = hosts.next_host()
        options = AgentOptions(
            name=name,
            bind=f"{host}:{GOSSIP_PORT}",
            rpc=f"{host}:{RPC_PORT}" if kind is SERF else "",
            folder=folder,
            profile=plan.profile,
            encrypt=plan.encrypt,
            rpc_auth=token,
            log_level="info",
            more=[*more, *_snapshot_words(plan, folder, name)],
        )
        found.append((name, options))
    return found


def _snapshot_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.snapshot"


def _snapshot_words(plan: RealPlan, folder: Path, name: str) -> list[str]:
    """Return how an agent of either kind is told to remember."""
    return ["-snapshot", str(_snapshot_of(folder, name))] if plan.keeps_snapshots else []


async def _cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
