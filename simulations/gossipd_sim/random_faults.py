"""Faults that the fuzzer draws: each kind adds one thing that goes wrong to a draft.

Hosts are named outright, and a host is in one kind of trouble at a time. The
first host keeps out of it, so that there is always somebody to join.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from random import Random

from gossipd_sim.document import Table
from gossipd_sim.selectors import host_names, join_names


class Draft:
    """Faults being made up, and which host is in trouble until when.

    Args:
        begin, end: when faults may happen, in seconds.
        key: what the cluster is encrypted with, in base64; empty is nothing.
    """

    def __init__(self, random: Random, nodes: int, begin: float, end: float, key: str) -> None:
        self.random = random
        self.names = host_names(nodes)
        self.begin, self.end = begin, end
        self.faults: list[Table] = []
        self.key, self.rotated_at = key, 0.0
        self._busy = {name: [(0.0, 0.0)] for name in self.names}

    def add(self, do: str, at: float, **rest: object) -> None:
        """Note a fault."""
        self.faults.append({"at": at, "do": do, **rest})

    def moment(self) -> float:
        """Return when something begins, to the millisecond."""
        return self.between(self.begin, self.end)

    def duration(self, at: float, longest: float) -> float:
        """Return how long it lasts; short times are as likely as long ones."""
        chosen = float(0.5 * (longest / 0.5) ** self.random.random())
        return round(max(0.2, min(chosen, self.end - at)), 3)

    def between(self, begin: float, end: float) -> float:
        """Return a moment within, to the millisecond."""
        return round(self.random.uniform(begin, end), 3)

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


def _crash(draft: Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 120.0)
    hosts = draft.take(at, at + lasts + 1, 3)
    if hosts is not None:
        more = _drawn(draft.random, "remember", "power_lost")
        draft.add("crash", at, hosts=hosts, lasts=lasts, **more)


def _crash_for_good(draft: Draft) -> None:
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


def _leave(draft: Draft) -> None:
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


def _bounce(draft: Draft) -> None:
    at = draft.moment()
    hosts = draft.take(at, at + 1, 3)
    if hosts is not None:
        draft.add("bounce", at, hosts=hosts, **_drawn(draft.random, "remember"))


def _join(draft: Draft) -> None:
    at, random = draft.moment(), draft.random
    if random.random() < 0.3:  # the first one never restarts, so it may forget whom it joined
        draft.add("join", at, hosts=draft.names[0], to=draft.some(3))
        return
    hosts = draft.take(at, at + 1, 2)
    if hosts is not None:
        to = random.sample(draft.names[1:], random.randint(0, min(3, len(draft.names) - 1)))
        draft.add("join", at, hosts=hosts, to=join_names(sorted([draft.names[0], *to])))


def _force_leave(draft: Draft) -> None:
    """Say of somebody who is there, or not, that it leaves; it may have to object."""
    at, target = draft.moment(), draft.some(2)
    more = {"prune": True} if draft.random.random() < 0.3 else {}
    draft.add("force_leave", at, hosts=draft.names[0], target=target, **more)


def _freeze(draft: Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 90.0)
    hosts = draft.take(at, at + lasts + 1, max(1, len(draft.names) // 4))
    if hosts is not None:
        draft.add("freeze", at, hosts=hosts, lasts=lasts)
        if draft.random.random() < 0.2:
            draft.add("thaw", draft.between(at, at + lasts), hosts=hosts)


def _slow(draft: Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 90.0)
    hosts = draft.take(at, at + lasts + 1, max(1, len(draft.names) // 4))
    if hosts is not None:
        seconds = round(0.01 * 300 ** draft.random.random(), 3)
        if draft.random.random() < 0.7:
            draft.add("slow", at, hosts=hosts, lasts=lasts, seconds=seconds)
        else:
            sigma = round(draft.random.uniform(0.0, 2.0), 2)
            draft.add("starve", at, hosts=hosts, lasts=lasts, median=seconds / 20, sigma=sigma)


BLOCKS = (
    ("block_sending", "unblock_sending"),
    ("block_receiving", "unblock_receiving"),
    ("anomaly", "anomaly_over"),
)
"""Ways in which a host hangs, and what ends each early."""


def _blocked(draft: Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 60.0)
    hosts = draft.take(at, at + lasts + 1, max(1, len(draft.names) // 4))
    if hosts is not None:
        way, end = draft.random.choice(BLOCKS)
        draft.add(way, at, hosts=hosts, lasts=lasts)
        if draft.random.random() < 0.2:
            draft.add(end, draft.between(at, at + lasts), hosts=hosts)


def _clock_jump(draft: Draft) -> None:
    at = draft.moment()
    hosts = draft.take(at, at + 1, 2)
    if hosts is not None:
        seconds = round(draft.random.uniform(0.5, 40.0), 3)
        draft.add("clock_jump", at, hosts=hosts, seconds=seconds)


def _clock_drift(draft: Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 200.0)
    hosts = draft.take(at, at + lasts + 1, 2)
    if hosts is not None:
        rate = round(draft.random.uniform(0.8, 1.25), 4)
        draft.add("clock_drift", at, hosts=hosts, lasts=lasts, rate=rate)


def _tags(draft: Draft) -> None:
    at = draft.moment()
    hosts = draft.take(at, at + 6, max(2, len(draft.names) // 2))
    if hosts is not None:
        # long ones fill packets to the brim even where few claims are under way
        note = "x" * draft.random.choice((0, 0, 40, 400))
        turn = str(draft.random.randrange(1000))
        draft.add("tags", at, hosts=hosts, tags={"turn": turn, "note": note})


def _partition(draft: Draft) -> None:
    at = draft.moment()
    lasts, groups = draft.duration(at, 120.0), draft.halves()
    draft.add("partition", at, groups=groups, lasts=lasts)
    if draft.random.random() < 0.3:
        mended = groups[: draft.random.choice((0, 2))]  # none is all
        draft.add("heal", draft.between(at, at + lasts), groups=mended)


def _one_way(draft: Draft) -> None:
    at = draft.moment()
    sources, targets = draft.some(3), draft.some(len(draft.names))
    lasts = draft.duration(at, 90.0)
    draft.add("one_way", at, sources=sources, targets=targets, lasts=lasts)
    if draft.random.random() < 0.2:
        draft.add("open", draft.between(at, at + lasts), sources=sources, targets=targets)


def _bad_links(draft: Draft) -> None:
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


def move(draft: Draft) -> None:
    at = draft.moment()
    back = round(at + draft.duration(at, 60.0), 3)
    host = draft.take(at, back + 5, 1)
    if host is not None:
        draft.add("crash", at, hosts=host)
        draft.add("move", back, hosts=host)


def _rotate_keys(draft: Draft) -> None:
    """Install a new key everywhere, use it everywhere, remove the old one everywhere."""
    at = draft.moment()
    lasts = draft.duration(at, 120.0)
    new = b64encode(draft.random.randbytes(draft.random.choice((16, 24, 32)))).decode()
    if not draft.key or at <= draft.rotated_at:
        return
    step = round(lasts / 3, 3)
    stagger = round(draft.random.random() * step / len(draft.names), 4)
    for turn, (do, key) in enumerate(
        (("install_key", new), ("use_key", new), ("remove_key", draft.key))
    ):
        more = {"stagger": stagger} if stagger else {}
        draft.add(do, round(at + turn * step, 3), hosts="all", key=key, **more)
    draft.key, draft.rotated_at = new, at + lasts


def _hostile(draft: Draft) -> None:
    at = draft.moment()
    lasts = draft.duration(at, 30.0)
    hosts = draft.take(at, at + lasts, 3)
    if hosts is not None:
        rate = round(draft.random.uniform(1.0, 20.0), 1)
        draft.add("hostile", at, hosts=hosts, lasts=lasts, rate=rate)


def newcomer(draft: Draft, name: str, is_slow: bool) -> None:
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


KINDS: tuple[Callable[[Draft], None], ...] = (
    _crash,
    _crash_for_good,
    _leave,
    _bounce,
    _join,
    _force_leave,
    _freeze,
    _slow,
    _blocked,
    _clock_jump,
    _clock_drift,
    _tags,
    _partition,
    _one_way,
    _bad_links,
    move,
    _hostile,
    _rotate_keys,
)
"""One entry adds one fault, or none if no host is free for it."""
