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
from random import Random

from gossipd.value import Value
from gossipd_sim.document import Table
from gossipd_sim.observer import Violation
from gossipd_sim.random_faults import KINDS, Draft, move, newcomer
from gossipd_sim.random_services import add_services
from gossipd_sim.script import BOOTSTRAPS
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
    keys = document.get("keys")
    key = str(keys[0]) if isinstance(keys, list) else ""
    if is_mixed:
        document["special"] = [{"hosts": random.choice(("random:1", "50%")), "profile": other}]
    # where an address is known wrongly, a suspicion has to end first, then the dead are kept
    is_slow = settle == SETTLE["wan"]
    draft = Draft(random, nodes, BOOT_SECONDS, horizon - settle - 1, key)
    if nodes > 4 and random.random() < 0.3:
        document["late"] = draft.names[-1]
        newcomer(draft, draft.names[-1], is_slow)
    possible = [kind for kind in KINDS if not (is_slow and kind is move)]
    kinds = random.sample(possible, random.randint(1, len(KINDS) // 2))
    for _ in range(random.randint(1, FAULTS_MAX)):
        random.choice(kinds)(draft)
    document["faults"] = sorted(draft.faults, key=_at)
    services = Random(split_seed(seed, "services of fuzz"))
    add_services(document, services, nodes, horizon - settle)
    return document


def seeds_from(first: int, runs: int, nodes_max: int, *, with_services: bool) -> list[int]:
    """Return ``runs`` seeds from ``first`` on, all of them or those whose runs have services."""
    if not with_services:
        return list(range(first, first + runs))
    found: list[int] = []
    seed = first
    while len(found) < runs:
        if "catalog" in random_document(seed, nodes_max):
            found.append(seed)
        seed += 1
    return found


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
            "kind": random.choice(BOOTSTRAPS),
            "over": round(random.uniform(0.5, 10.0), 1),
        }
    if random.random() < 0.3:
        found["by_wire"] = True
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
