"""Faults: what happens to hosts in a scenario, as values (to links: ``link_faults.py``).

A fault as written names its hosts by selectors and may last, be staggered and
repeat; ``schedule.py`` turns it into plain ones that name hosts outright and
happen at one moment. Only those are applied. Each kind says what state a host
must be in (``needs``), the state it is in afterwards (``makes``, empty if it
stays as it was), what undoes it when it lasts (``undo``), and the word for it
in a file (``do``).

Times are virtual seconds since the start of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gossipd.value import Value
from gossipd_sim.host import Host
from gossipd_sim.law_book import LawBook
from gossipd_sim.network import Network
from gossipd_sim.selectors import plain_names
from gossipd_sim.world import World

UP, ABSENT, GONE, FROZEN = "up", "waiting to start", "down", "frozen"
"""States of a host, as far as what is possible depends on them."""
EVICTED = "without an address"
"""The state of a host that is down and whose address is another's."""


class Stage(Protocol):
    """What a fault acts on; a cluster is one."""

    @property
    def world(self) -> World: ...

    @property
    def network(self) -> Network: ...

    @property
    def hosts(self) -> Mapping[str, Host]: ...

    @property
    def law_book(self) -> LawBook: ...


class Fault(Value, kw_only=True):
    """Base of all faults.

    ``at``: seconds since the start. ``lasts``: seconds until it is undone, 0 is
    never. ``stagger``: seconds between one host and the next. ``times`` and
    ``every``: it happens so often, that many seconds apart.
    """

    at: float
    lasts: float = 0.0
    stagger: float = 0.0
    times: int = 1
    every: float = 0.0

    do = ""

    def apply(self, stage: Stage) -> None:
        """Make it happen now."""
        raise NotImplementedError

    def undo(self, at: float) -> Fault | None:
        """Return what ends it, or ``None`` if nothing can."""
        return None

    def describe(self) -> str:
        """Return one readable line, without the time."""
        return self.do


class HostFault(Fault, kw_only=True):
    """Base of those that happen to single hosts."""

    hosts: str

    needs = frozenset({UP})
    makes = ""

    def apply(self, stage: Stage) -> None:
        for name in plain_names(self.hosts):
            self.befall(stage.hosts[name], stage)

    def befall(self, host: Host, stage: Stage) -> None:
        """Make it happen to one host."""
        raise NotImplementedError

    def describe(self) -> str:
        return f"{self.do.replace('_', ' ')} {self.hosts}"


# -- lives -----------------------------------------------------------------------


class Crash(HostFault, kw_only=True):
    """The process ends at once and says nothing; ``lasts`` restarts it, see ``Restart``.

    ``power_lost``: the whole machine goes, so that nothing refuses a stream.
    """

    remember: bool = False
    power_lost: bool = False

    do = "crash"
    needs = frozenset({UP, FROZEN})
    makes = GONE

    def befall(self, host: Host, stage: Stage) -> None:
        host.crash(power_lost=self.power_lost)

    def undo(self, at: float) -> Fault:
        return Restart(at=at, hosts=self.hosts, remember=self.remember)


class Restart(HostFault, kw_only=True):
    """A host that crashed or left boots and joins again, through the seeds it had.

    ``remember``: it has the daemon's snapshot of its last life: the members to try and
    the Lamport times; otherwise it is as new.
    """

    remember: bool = False

    do = "restart"
    needs = frozenset({GONE})
    makes = UP

    def befall(self, host: Host, stage: Stage) -> None:
        host.restart(remember=self.remember)
        host.join(host.seeds or join_through(host, "", stage))

    def describe(self) -> str:
        memory = "with" if self.remember else "without"
        return f"restart {self.hosts} {memory} memory"


class Bounce(Restart, kw_only=True):
    """A running host dies and boots in one moment, and joins again as after a ``Restart``.

    Nobody can have noticed its death; what it knew and had announced is gone.
    """

    do = "bounce"
    needs = frozenset({UP, FROZEN})

    def describe(self) -> str:
        return super().describe().replace("restart", "bounce")


class Start(HostFault, kw_only=True):
    """A host boots for the first time and joins through ``to``, if that names anybody."""

    to: str = "n000"

    do = "start"
    needs = frozenset({ABSENT})
    makes = UP

    def befall(self, host: Host, stage: Stage) -> None:
        host.boot()
        if self.to:
            host.join(join_through(host, self.to, stage))


class Join(HostFault, kw_only=True):
    """A running host joins through ``to``."""

    to: str

    do = "join"

    def befall(self, host: Host, stage: Stage) -> None:
        host.join(join_through(host, self.to, stage))

    def describe(self) -> str:
        return f"join {self.hosts} to {self.to}"


class Leave(HostFault, kw_only=True):
    """The host leaves gracefully and stops; ``lasts`` restarts it."""

    remember: bool = False

    do = "leave"
    makes = GONE

    def befall(self, host: Host, stage: Stage) -> None:
        host.leave()

    def undo(self, at: float) -> Fault:
        return Restart(at=at, hosts=self.hosts, remember=self.remember)


class ForceLeave(HostFault, kw_only=True):
    """The operator of each of ``hosts`` announces that ``target`` left; ``prune`` forgets it."""

    target: str
    prune: bool = False

    do = "force_leave"

    def befall(self, host: Host, stage: Stage) -> None:
        for target in plain_names(self.target):
            host.force_leave(target, prune=self.prune)

    def describe(self) -> str:
        return f"force leave of {self.target} at {self.hosts}"


class TagChange(HostFault, kw_only=True):
    """The hosts set tags and delete others."""

    tags: Mapping[str, str] = {}
    delete: tuple[str, ...] = ()

    do = "tags"

    def befall(self, host: Host, stage: Stage) -> None:
        host.set_tags(self.tags, self.delete)

    def describe(self) -> str:
        words = [f"{tag}={text}" for tag, text in self.tags.items()]
        return f"tags {' '.join([*words, *(f'-{tag}' for tag in self.delete)])} at {self.hosts}"


# -- hosts in trouble ------------------------------------------------------------


class Freeze(HostFault, kw_only=True):
    """The process stops; what arrives piles up and is handled when it thaws."""

    do = "freeze"
    makes = FROZEN

    def befall(self, host: Host, stage: Stage) -> None:
        host.freeze()

    def undo(self, at: float) -> Fault:
        return Thaw(at=at, hosts=self.hosts)


class Thaw(HostFault, kw_only=True):
    """A frozen process goes on."""

    do = "thaw"
    needs = frozenset({FROZEN})
    makes = UP

    def befall(self, host: Host, stage: Stage) -> None:
        host.thaw()


class Slow(HostFault, kw_only=True):
    """Each input waits ``seconds`` before it is handled; 0 is as usual."""

    seconds: float

    do = "slow"
    needs = frozenset({UP, FROZEN})

    def befall(self, host: Host, stage: Stage) -> None:
        host.slow(self.seconds)

    def undo(self, at: float) -> Fault:
        return Slow(at=at, hosts=self.hosts, seconds=0.0)

    def describe(self) -> str:
        return f"slow {self.hosts} by {self.seconds:g} s"


class BlockSending(HostFault, kw_only=True):
    """What the host sends is held back until unblocked: Lifeguard's blocked member."""

    do = "block_sending"
    needs = frozenset({UP, FROZEN})

    def befall(self, host: Host, stage: Stage) -> None:
        host.block_sending()

    def undo(self, at: float) -> Fault:
        return UnblockSending(at=at, hosts=self.hosts)


class UnblockSending(HostFault, kw_only=True):
    """What was held back goes out."""

    do = "unblock_sending"
    needs = frozenset({UP, FROZEN})

    def befall(self, host: Host, stage: Stage) -> None:
        host.unblock_sending()


class BlockReceiving(HostFault, kw_only=True):
    """The host reads nothing until unblocked, while its timers go on."""

    do = "block_receiving"
    needs = frozenset({UP, FROZEN})

    def befall(self, host: Host, stage: Stage) -> None:
        host.block_receiving()

    def undo(self, at: float) -> Fault:
        return UnblockReceiving(at=at, hosts=self.hosts)


class UnblockReceiving(HostFault, kw_only=True):
    """The host reads again, first what waits."""

    do = "unblock_receiving"
    needs = frozenset({UP, FROZEN})

    def befall(self, host: Host, stage: Stage) -> None:
        host.unblock_receiving()


class ClockJump(HostFault, kw_only=True):
    """The host's clock jumps ahead by ``seconds``, as after a suspend."""

    seconds: float

    do = "clock_jump"
    needs = frozenset({UP, FROZEN})

    def befall(self, host: Host, stage: Stage) -> None:
        host.clock_jump(self.seconds)

    def describe(self) -> str:
        return f"clock of {self.hosts} jumps {self.seconds:g} s"


class ClockDrift(HostFault, kw_only=True):
    """The host's clock goes ``rate`` times as fast as true time; 1 is right again."""

    rate: float

    do = "clock_drift"
    needs = frozenset({UP, FROZEN})

    def befall(self, host: Host, stage: Stage) -> None:
        host.clock_drift(self.rate - 1.0)

    def undo(self, at: float) -> Fault:
        return ClockDrift(at=at, hosts=self.hosts, rate=1.0)

    def describe(self) -> str:
        return f"clock of {self.hosts} goes {self.rate:g} times as fast"


FAULTS_OF_HOSTS: tuple[type[HostFault], ...] = (
    Crash,
    Restart,
    Bounce,
    Start,
    Join,
    Leave,
    ForceLeave,
    TagChange,
    Freeze,
    Thaw,
    Slow,
    BlockSending,
    UnblockSending,
    BlockReceiving,
    UnblockReceiving,
    ClockJump,
    ClockDrift,
)


def join_through(host: Host, selector: str, stage: Stage) -> list[Host]:
    """Return the hosts to join through: those named, or else the first other one that is up."""
    named = plain_names(selector) if selector else ()
    others = [stage.hosts[name] for name in named if name != host.name]
    return others or [one for one in stage.hosts.values() if one.is_up and one is not host][:1]
