"""Random scenarios, one for each seed, made swarm style.

Each run turns a random subset of the faults and features on, at random
strength: runs in which everything happens at once drown the rare
combinations that break things. Hosts are named outright, not left to chance
when the run is built, so that the shrinker can take one fault away without
moving the others.

A scenario depends on its seed and the largest number of nodes alone; whoever
changes what is drawn here gives old seeds another meaning.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from random import Random

from gossipd.value import Value
from gossipd_sim.document import Table
from gossipd_sim.observer import Violation
from gossipd_sim.selectors import host_names, join_names
from gossipd_sim.world import split_seed

NODES_MIN, NODES_MAX = 3, 64
HORIZON_MIN, HORIZON_MAX = 120.0, 600.0
"""Virtual seconds of a run, the rest at the end included."""
SETTLE = {"lan": 120.0, "local": 80.0, "wan": 330.0}
"""Seconds without faults after which all must agree, by profile: the longest suspicion
of sixty nodes, then a push/pull and a try to reconnect."""
PROFILES = ("lan", "lan", "lan", "local", "local", "wan")
"""How often each is taken; ``wan`` is slow to agree and costs the most."""
BOOT_SECONDS = 15.0
"""Faults begin after this; a cluster that comes up is mostly left alone."""
FAULTS_MAX = 30


class FuzzTask(Value):
    """One run to make: all that its scenario depends on."""

    seed: int
    nodes_max: int = NODES_MAX


class FuzzResult(Value):
    """What one run gave; ``trace`` is empty if it broke."""

    seed: int
    nodes: int
    trace: str
    virtual_seconds: float
    events_done: int
    violations: tuple[Violation, ...]


class _Draft:
    """Faults being made up, and which host is in trouble until when."""

    def __init__(self, random: Random, nodes: int, begin: float, end: float) -> None:
        self.random = random
        self.names = host_names(nodes)
        self.begin, self.end = begin, end
        self.faults: list[Table] = []
        self._busy = {name: [(0.0, 0.0)] for name in self.names}

    def add(self, do: str, at: float, **rest: object) -> None:
        """Note a fault."""
        self.faults.append({"at": at, "do": do, **rest})

    def moment(self) -> float:
        """Return when something begins, to the millisecond."""
        return round(self.random.uniform(self.begin, self.end), 3)

    def duration(self, at: float, longest: float) -> float:
        """Return how long it lasts; short times are as likely as long ones."""
        chosen = float(0.5 * (longest / 0.5) ** self.random.random())
        return round(max(0.2, min(chosen, self.end - at)), 3)

    def some(self, most: int) -> str:
        """Return a selector of hosts, the same one perhaps as before."""
        count = self.random.randint(1, max(1, min(most, len(self.names) - 1)))
        return join_names(sorted(self.random.sample(self.names, count)))

    def take(self, at: float, until: float, most: int) -> str | None:
        """Take up to ``most`` hosts to which nothing else happens meanwhile, one seed at most."""
        free = [
            name
            for name in self.names[1:]
            if all(until < begin or end < at for begin, end in self._busy[name])
        ]
        if not free:
            return None
        taken = self.random.sample(free, self.random.randint(1, min(most, len(free))))
        for name in taken:
            self._busy[name].append((at, until))
        return join_names(sorted(taken))

    def reserve(self, name: str) -> None:
        """Let nothing else happen to that host."""
        self._busy[name].append((0.0, float("inf")))

    def halves(self) -> list[str]:
        """Return two or three groups that hold every host."""
        shuffled = self.random.sample(self.names, len(self.names))
        parts = self.random.choice((2, 2, 3))
        cuts = sorted(self.random.sample(range(1, len(shuffled)), min(parts, len(shuffled)) - 1))
        groups = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
        return [join_names(sorted(group)) for group in groups]


def random_document(seed: int, nodes_max: int = NODES_MAX) -> Table:
    """Return the scenario that ``seed`` means, with at most ``nodes_max`` nodes."""
    random = Random(split_seed(seed, "fuzz"))
    # small clusters are cheap and break as well: half of the runs have under fourteen nodes
    nodes = round(NODES_MIN * (nodes_max / NODES_MIN) ** random.random())
    profile, other = random.choice(PROFILES), random.choice(PROFILES)
    is_mixed = random.random() < 0.15
    settle = max(SETTLE[profile], SETTLE[other] if is_mixed else 0.0)
    horizon = round(random.uniform(max(HORIZON_MIN, settle + 60), HORIZON_MAX), 1)
    document: Table = {
        "name": f"fuzz-{seed}",
        "description": "Made up by the fuzzer.",
        "nodes": nodes,
        "horizon": horizon,
        "settle": settle,
        "profile": profile,
    }
    document |= _features(random)
    if is_mixed:
        document["special"] = [{"hosts": random.choice(("random:1", "50%")), "profile": other}]
    # where an address is known wrongly, a suspicion has to end first, then the dead are kept
    is_slow = settle == SETTLE["wan"]
    draft = _Draft(random, nodes, BOOT_SECONDS, horizon - settle - 1)
    if nodes > 4 and random.random() < 0.3:
        document["late"] = draft.names[-1]
        _newcomer(draft, draft.names[-1], is_slow)
    possible = [kind for kind in KINDS if not (is_slow and kind is _move)]
    kinds = random.sample(possible, random.randint(1, len(KINDS) // 2))
    for _ in range(random.randint(1, FAULTS_MAX)):
        random.choice(kinds)(draft)
    document["faults"] = sorted(draft.faults, key=_at)
    return document


def _at(fault: Table) -> float:
    at = fault["at"]
    assert isinstance(at, float)
    return at


# -- features --------------------------------------------------------------------


def _features(random: Random) -> Table:
    """Return settings that are on for the whole run, each with some probability."""
    found: Table = {}
    if random.random() < 0.5:
        found["bootstrap"] = {
            "kind": random.choice(("one seed", "at once", "staggered")),
            "over": round(random.uniform(0.5, 10.0), 1),
        }
    wire: Table = {}
    if random.random() < 0.25:
        wire["compression"] = False
    if random.random() < 0.25:
        wire["packet_bytes_max"] = random.choice((600, 900, 1400, 4000))
    if random.random() < 0.2:
        wire["label"] = "east"
    if random.random() < 0.2:
        secret = random.randbytes(random.choice((16, 24, 32)))
        found["keys"] = [b64encode(secret).decode()]
    swim: Table = {}
    if random.random() < 0.2:
        swim["indirect_checks"] = random.choice((0, 1, 5))
    if random.random() < 0.2:
        swim["stream_ping"] = False
    if random.random() < 0.2:
        swim["suspicion_mult"] = random.choice((2, 3, 6))
    if random.random() < 0.2:
        swim["gossip_nodes"] = random.choice((1, 2, 5))
    if random.random() < 0.2:
        swim["awareness_max_multiplier"] = random.choice((1, 2, 16))
    serf: Table = {}
    if random.random() < 0.2:
        serf["reconnect_interval"] = random.choice((5.0, 15.0))
    if random.random() < 0.1:
        serf |= {"tombstone_timeout": 40.0, "reconnect_timeout": 3600.0, "reap_interval": 5.0}
    laws: Table = {}
    if random.random() < 0.3:
        laws["loss"] = round(random.choice((0.01, 0.05, 0.15)), 3)
    if random.random() < 0.2:
        laws["duplicate"] = 0.05
    if random.random() < 0.2:
        laws["reorder"] = 0.1
    if random.random() < 0.1:
        laws["corrupt"] = 0.01
    for key, table in (("swim", swim), ("serf", serf), ("wire", wire), ("network", laws)):
        if table:
            found[key] = table
    return found


# -- faults ----------------------------------------------------------------------


def _crash(draft: _Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 120.0)
    hosts = draft.take(at, at + lasts + 1, 3)
    if hosts is not None:
        more = _drawn(draft.random, "remember", "power_lost")
        draft.add("crash", at, hosts=hosts, lasts=lasts, **more)


def _crash_for_good(draft: _Draft) -> None:
    at = draft.moment()
    hosts = draft.take(at, draft.end + 1, max(1, len(draft.names) // 8))
    if hosts is None:
        return
    draft.add("crash", at, hosts=hosts, **_drawn(draft.random, "power_lost"))
    if draft.random.random() < 0.3:
        told = round(at + draft.duration(at, 60.0), 3)
        prune = draft.random.random() < 0.3
        draft.add("force_leave", told, hosts=draft.names[0], target=hosts, prune=prune)


def _drawn(random: Random, *switches: str) -> Table:
    """Return those of the switches that are turned on by chance."""
    return {switch: True for switch in switches if random.random() < 0.5}


def _leave(draft: _Draft) -> None:
    at = draft.moment()
    returns = draft.random.random() < 0.7
    lasts = round(15.0 + draft.duration(at, 60.0), 3)
    hosts = draft.take(at, at + lasts + 1 if returns else draft.end + 1, 2)
    if hosts is None:
        return
    if returns and at + lasts < draft.end:
        more = _drawn(draft.random, "remember")
        draft.add("leave", at, hosts=hosts, lasts=lasts, **more)
    else:
        draft.add("leave", at, hosts=hosts)


def _freeze(draft: _Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 90.0)
    hosts = draft.take(at, at + lasts + 1, max(1, len(draft.names) // 4))
    if hosts is not None:
        draft.add("freeze", at, hosts=hosts, lasts=lasts)


def _slow(draft: _Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 90.0)
    hosts = draft.take(at, at + lasts + 1, max(1, len(draft.names) // 4))
    if hosts is not None:
        seconds = round(0.01 * 300 ** draft.random.random(), 3)
        draft.add("slow", at, hosts=hosts, lasts=lasts, seconds=seconds)


def _blocked(draft: _Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 60.0)
    hosts = draft.take(at, at + lasts + 1, max(1, len(draft.names) // 4))
    if hosts is not None:
        way = draft.random.choice(("block_sending", "block_receiving"))
        draft.add(way, at, hosts=hosts, lasts=lasts)


def _clock_jump(draft: _Draft) -> None:
    at = draft.moment()
    hosts = draft.take(at, at + 1, 2)
    if hosts is not None:
        seconds = round(draft.random.uniform(0.5, 40.0), 3)
        draft.add("clock_jump", at, hosts=hosts, seconds=seconds)


def _clock_drift(draft: _Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 200.0)
    hosts = draft.take(at, at + lasts + 1, 2)
    if hosts is not None:
        rate = round(draft.random.uniform(0.8, 1.25), 4)
        draft.add("clock_drift", at, hosts=hosts, lasts=lasts, rate=rate)


def _tags(draft: _Draft) -> None:
    at = draft.moment()
    hosts = draft.take(at, at + 6, 2)
    if hosts is not None:
        draft.add("tags", at, hosts=hosts, tags={"turn": str(draft.random.randrange(1000))})


def _partition(draft: _Draft) -> None:
    at = draft.moment()
    draft.add("partition", at, groups=draft.halves(), lasts=draft.duration(at, 120.0))


def _one_way(draft: _Draft) -> None:
    at = draft.moment()
    sources, targets = draft.some(3), draft.some(len(draft.names))
    draft.add("one_way", at, sources=sources, targets=targets, lasts=draft.duration(at, 90.0))


def _bad_links(draft: _Draft) -> None:
    at, random = draft.moment(), draft.random
    possible: tuple[Table, ...] = (
        {"loss": round(random.uniform(0.1, 0.95), 2)},
        {"burst_loss": 0.05, "burst_seconds": round(random.uniform(0.2, 3.0), 1)},
        {"duplicate": 0.3, "reorder": 0.3, "reorder_seconds": 1.0},
        {"corrupt": 0.2},
        {"mtu": random.choice((200, 576, 1200))},
        {"udp": False},
        {"tcp": random.choice(("reset", "hang", "off"))},
    )
    draft.add(
        "links",
        at,
        sources=draft.some(4),
        targets="all" if random.random() < 0.7 else draft.some(len(draft.names)),
        both=random.random() < 0.7,
        lasts=draft.duration(at, 120.0),
        laws=random.choice(possible),
    )


def _move(draft: _Draft) -> None:
    at = draft.moment()
    back = round(at + draft.duration(at, 60.0), 3)
    host = draft.take(at, back + 5, 1)
    if host is not None:
        draft.add("crash", at, hosts=host)
        draft.add("move", back, hosts=host)


def _hostile(draft: _Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 30.0)
    hosts = draft.take(at, at + lasts, 3)
    if hosts is not None:
        rate = round(draft.random.uniform(1.0, 20.0), 1)
        draft.add("hostile", at, hosts=hosts, lasts=lasts, rate=rate)


def _newcomer(draft: _Draft, name: str, is_slow: bool) -> None:
    """Have a host come that was not there before: by itself, or unless slow as somebody else."""
    at = draft.moment()
    draft.reserve(name)
    match draft.random.choice(("start", "name_clash", "address_reuse")):
        case kind if is_slow or kind == "start":
            draft.add("start", at, hosts=name)
        case "name_clash":
            other = draft.random.choice(draft.names[:-1])
            draft.add("name_clash", at, hosts=name, of=other, lasts=draft.duration(at, 90.0))
        case _:
            former = draft.take(at, draft.end + 1, 1)
            if former is not None:
                reused = round(at + draft.duration(at, 60.0), 3)
                draft.add("crash", at, hosts=former)
                draft.add("address_reuse", reused, hosts=name, of=former)


KINDS: tuple[Callable[[_Draft], None], ...] = (
    _crash,
    _crash_for_good,
    _leave,
    _freeze,
    _slow,
    _blocked,
    _clock_jump,
    _clock_drift,
    _tags,
    _partition,
    _one_way,
    _bad_links,
    _move,
    _hostile,
)
"""One entry adds one fault, or none if no host is free for it."""
