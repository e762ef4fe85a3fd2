"""Why was it declared dead there: planted causes are found again, and every belief has a root."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest
from click.testing import CliRunner, Result

from gossipd.errors import UsageError
from gossipd.wire.codec import encode
from gossipd.wire.messages import Dead
from gossipd_cli.simulate import command
from gossipd_sim.cluster import Cluster
from gossipd_sim.errors import ScenarioError
from gossipd_sim.evidence import Kind
from gossipd_sim.explain import explain, walk_back
from gossipd_sim.explanation import Accusation, Explanation, Probe, explanation_json
from gossipd_sim.provenance import Provenance
from gossipd_sim.scenario import Scenario, read_scenario
from gossipd_sim.telling import told

HEAD = """
nodes = 5
horizon = 60.0
settle = 10.0
checkers = ["queues"]
"""
CRASH = f"""{HEAD}
[[faults]]
at = 10.0
do = "crash"
hosts = "n003"
"""
MUTED = f"""{HEAD}
[[faults]]
at = 10.0
do = "links"
sources = "n003"
targets = "all"
both = false
lasts = 40.0
laws = {{ loss = 1.0 }}
"""
"""Nothing that n003 sends arrives, whatever it is sent does: it is well, and thought dead."""
FROZEN = f"""{HEAD}
[[faults]]
at = 10.0
do = "freeze"
hosts = "n003"
lasts = {{seconds}}
"""
BLOCKED = f"""{HEAD}
[[faults]]
at = 10.0
do = "block_sending"
hosts = "n003"
lasts = 15.0
"""
SPLIT = f"""{HEAD}
[[faults]]
at = 10.0
do = "partition"
groups = ["n000-n002", "n003,n004"]
lasts = 25.0
"""
FORGED = f"""{HEAD}
[[faults]]
at = 10.0
do = "hostile"
hosts = "n001"
kinds = ["forged"]
rate = 5
lasts = 10.0
"""
ROUGH = """
nodes = 12
horizon = 130.0
settle = 40.0
checkers = ["queues"]
network.loss = 0.1
network.duplicate = 0.1
network.reorder = 0.1
network.corrupt = 0.02
groups.others = "n000-n006,n008-n011"

[[churn]]
at = 5.0
lasts = 80.0
every = 12.0
hosts = "others"

[[faults]]
do = "freeze"
at = 20.0
hosts = "random:3"
lasts = 12.0

[[faults]]
do = "slow"
at = 40.0
hosts = "random:3"
lasts = 20.0
seconds = 1.2

[[faults]]
do = "block_receiving"
at = 60.0
hosts = "random:3"
lasts = 9.0

[[faults]]
do = "partition"
at = 62.0
groups = ["50%", "rest"]
lasts = 20.0

[[faults]]
do = "crash"
at = 86.0
hosts = "n007"
"""


ROOTS = ("probe", "expiry", "member", "damaged")


@cache
def scenario(text: str) -> Scenario:
    return read_scenario(text, "planted.toml")


@cache
def explained(
    text: str, member: str, at: str, when: float | None = None, seed: int = 1
) -> Explanation:
    return explain(scenario(text), seed, member, at, when)


def first(text: str, member: str, at: str, is_wanted: Callable[[Explanation], bool]) -> Explanation:
    """Return the explanation of the first seed that is wanted: who probes whom is chance."""
    for seed in range(20):
        found = explained(text, member, at, seed=seed)
        if is_wanted(found):
            return found
    raise AssertionError("none of 20 seeds shows it")


def probes(explanation: Explanation) -> list[Probe]:
    """Return the roots of all accusations that counted."""
    assert explanation.suspicion is not None
    return [
        one.route.probe for one in explanation.suspicion.accusations if one.route.probe is not None
    ]


# -- planted chains --------------------------------------------------------------------


def test_a_crash_is_traced_to_pings_that_found_no_process() -> None:
    found = explained(CRASH, "n003", "n001")
    assert (found.belief, found.reality) == ("dead", "down")
    assert found.suspicion is not None
    assert found.suspicion.outcome == "dead"
    roots = probes(found)
    assert len(roots) == len(found.suspicion.accusations) >= 2
    for probe in roots:
        assert probe.started_at >= 10.0
        assert probe.ping is not None
        assert probe.ping.lost == "nobody"
        assert probe.acks == ()
        assert {helper.answer for helper in probe.helpers} == {"nack"}
        assert all(helper.pinged and helper.pinged.lost == "nobody" for helper in probe.helpers)
        assert "connection refused" in probe.stream
    assert len({probe.prober for probe in roots}) == len(roots)


def test_each_confirmation_brings_the_deadline_nearer_and_the_last_one_is_when_it_died() -> None:
    found = explained(CRASH, "n003", "n001")
    assert found.suspicion is not None
    deadlines = [one.deadline for one in found.suspicion.accusations]
    assert deadlines == sorted(deadlines, reverse=True)
    assert len(set(deadlines)) == len(deadlines)
    assert [one.confirmations for one in found.suspicion.accusations] == [0, 1, 2][: len(deadlines)]
    assert found.suspicion.ran_out
    assert found.suspicion.over_at == pytest.approx(deadlines[-1])


def test_the_death_travels_hop_by_hop_from_the_host_that_decided_it() -> None:
    ways = {at: explained(CRASH, "n003", at) for at in ("n000", "n001", "n002", "n004")}
    deciders = {found.route.host for found in ways.values() if found.route is not None}
    assert any(found.route and found.route.hops for found in ways.values())
    for at, found in ways.items():
        assert found.route is not None
        assert found.route.origin == "expiry"
        assert found.suspicion is not None
        assert found.suspicion.host == found.route.host
        stops = [found.route.host, *(hop.target for hop in found.route.hops)]
        assert stops[-1] == at
        assert [hop.source for hop in found.route.hops] == stops[:-1]
        assert found.since == (
            found.route.hops[-1].handled_at if found.route.hops else found.suspicion.over_at
        )
    assert deciders <= set(ways)


def test_a_false_positive_by_a_lossy_link_is_traced_to_the_acks_that_were_lost() -> None:
    found = explained(MUTED, "n003", "n001")
    assert (found.belief, found.reality) == ("dead", "up")
    for probe in probes(found):
        assert probe.ping is not None
        assert probe.ping.is_handled
        assert probe.acks
        assert {ack.lost for ack in probe.acks} == {"loss"}
        assert all(helper.acked and helper.acked.lost == "loss" for helper in probe.helpers)
    refutation = found.refutation
    assert refutation is not None
    assert dict(refutation.told)["delivered"] >= 1
    assert refutation.answered_at is not None  # it knew, and said so at once
    assert refutation.decided_at is not None
    assert refutation.answered_at < refutation.decided_at
    assert refutation.reached_at is None or refutation.reached_at > refutation.decided_at
    text = told(found)
    assert "a false positive" in text
    assert "lost on the link" in text


def test_a_frozen_host_is_told_but_answers_too_late() -> None:
    found = explained(FROZEN.format(seconds=30.0), "n003", "n002")
    assert (found.belief, found.reality) == ("dead", "frozen")
    for probe in probes(found):
        assert probe.ping is not None
        assert probe.ping.found == "frozen"
        assert probe.stream == "delivered while the member was frozen"
    assert found.refutation is not None
    assert list(dict(found.refutation.told)) == ["delivered while frozen"]
    assert found.refutation.answered_at == pytest.approx(40.0)
    assert found.refutation.reached_at is not None
    assert found.refutation.decided_at is not None
    assert found.refutation.reached_at > found.refutation.decided_at
    assert "s too late" in told(found)


def test_a_short_freeze_is_refuted_in_time() -> None:
    text = FROZEN.format(seconds=2.5)
    found = first(text, "n003", "n002", lambda found: found.suspicion is not None)
    assert found.belief in ("suspected", "confirmed")
    assert found.suspicion is not None
    assert found.suspicion.outcome == "refuted"
    assert found.refutation is not None
    assert found.refutation.is_in_time
    assert "in time" in told(found)
    later = explained(text, "n003", "n002", 50.0, found.seed)
    assert later.belief == "refuted"
    assert later.route is not None
    assert (later.route.origin, later.route.host) == ("member", "n003")
    assert later.incarnation == 2


def test_an_accuser_that_could_not_send_is_found_out() -> None:
    found = first(
        BLOCKED,
        "n002",
        "n003",
        lambda found: found.suspicion is not None and 10.0 < found.suspicion.since <= 25.0,
    )
    probe = probes(found)[0]
    assert probe.prober == "n003"
    assert probe.ping is not None
    assert probe.ping.sent_at == 25.0  # when it could send again
    assert probe.started_at < probe.over_at <= 25.0
    assert "the ping was kept back: n003 could not send" in told(found)


def test_a_split_shows_pings_that_the_network_cut() -> None:
    found = explained(SPLIT, "n004", "n001", 34.0)
    assert found.belief == "dead"
    assert {probe.ping.lost for probe in probes(found) if probe.ping} == {"cut"}
    assert "the network is cut there" in told(found)
    assert (10.0, "partition n000-n002 | n003,n004") in found.faults


def test_a_suspicion_may_run_out_by_a_clock_that_jumped() -> None:
    jump = f'{CRASH}\n[[faults]]\nat = 12.5\ndo = "clock_jump"\nhosts = "n001"\nseconds = 40.0\n'
    found = first(
        jump,
        "n003",
        "n001",
        lambda found: found.suspicion is not None and found.suspicion.over_at == 12.5,
    )
    assert found.suspicion is not None
    assert (found.suspicion.host, found.suspicion.ran_out) == ("n001", True)
    assert "by a clock of its own that jumped or drifted" in told(found)


def test_a_forged_death_is_said_to_come_from_nowhere() -> None:
    deaths = [
        found
        for member in ("n000", "n002", "n003", "n004")
        if (found := explained(FORGED, member, "n001")).belief == "dead"
    ]
    assert deaths
    for found in deaths:
        assert found.route is not None
        assert found.route.origin == "forged"
        assert "no host sent it" in told(found)


def test_a_packet_that_was_damaged_unnoticed_is_not_blamed_on_its_sender() -> None:
    cluster = Cluster(scenario(CRASH), 1)
    record = Provenance(cluster, "n000")
    target, data = cluster.hosts["n001"], encode(Dead("n000", 1, "n004"))

    def arrive() -> None:
        record.datagram_arrived("n002", target.address, data)
        target.packet_arrived(data, cluster.hosts["n002"].address, len(data))

    cluster.world.at(7.0, arrive)
    cluster.run()
    found = walk_back(record, "damaged", 1, "n001", 7.0, cluster.world.now)
    assert (found.belief, found.since) == ("dead", 7.0)
    assert found.route is not None
    assert (found.route.host, found.route.origin) == ("n002", "damaged")
    assert found.route.hops[-1].is_damaged
    assert "it did not say that" in told(found)


def test_a_graceful_leave_is_traced_to_the_member_itself() -> None:
    leave = CRASH.replace('"crash"', '"leave"')
    found = explained(leave, "n003", "n001")
    assert found.belief == "left"
    assert found.suspicion is None
    assert found.route is not None
    assert (found.route.host, found.route.origin) == ("n003", "member")
    assert "n003 said so itself" in told(found)


def test_where_nothing_was_declared_it_says_what_was_believed() -> None:
    found = explained(CRASH, "n002", "n001")
    assert (found.belief, found.suspicion, found.refutation) == ("alive", None, None)
    early = explained(CRASH, "n003", "n001", 0.0)
    assert early.since is None
    assert early.route is None
    assert "n001 had not heard of n003 by 0.0000 s" in told(early)


def test_a_formed_cluster_knows_its_members_from_the_beginning() -> None:
    formed = CRASH.replace("[[faults]]", 'bootstrap = "formed"\n\n[[faults]]')
    early = explained(formed, "n003", "n001", 5.0)
    assert (early.belief, early.since) == ("alive", 0.0)
    assert "the cluster was formed" in told(early)
    assert explained(formed, "n003", "n001").belief == "dead"


def test_a_host_that_restarts_knows_nothing_any_more() -> None:
    restart = CRASH.replace('"n003"', '"n001"').replace("at = 10.0", "at = 10.0\nlasts = 5.0")
    kinds = [(moment.at, moment.kind) for moment in explained(restart, "n002", "n001").history]
    assert (15.0, "unknown") in kinds
    found = explained(restart, "n002", "n001", 15.0)
    assert "n001 restarted at 15.0000 s and knew nobody" in told(found)
    assert explained(restart, "n002", "n001", 20.0).belief == "alive"


def test_when_chooses_among_several_beliefs() -> None:
    kinds = [moment.kind for moment in explained(SPLIT, "n004", "n001").history]
    assert kinds[0] == "alive"
    assert "dead" in kinds
    assert kinds[-1] == "alive"
    assert explained(SPLIT, "n004", "n001", 59.0).belief == "alive"
    assert (
        explained(SPLIT, "n004", "n001", 5.0).since == explained(CRASH, "n004", "n001", 5.0).since
    )


# -- what always holds -------------------------------------------------------------------


def test_every_belief_has_a_root_and_every_way_goes_forward_in_time() -> None:
    cluster = Cluster(scenario(ROUGH), 1)
    record = Provenance(cluster, "n007")
    cluster.run()
    seen = set()
    for at, beliefs in record.beliefs.items():
        for belief in beliefs:
            found = walk_back(record, "rough", 1, at, belief.at, cluster.world.now)
            if found.belief in (Kind.FORGOTTEN, Kind.BLANK):
                continue
            assert found.route is not None
            assert found.route.origin in ROOTS, (at, belief)
            seen.add((found.belief, found.route.origin))
            for one, following in pairwise(found.route.hops):
                assert one.target == following.source
                assert one.sent_at <= one.arrived_at <= one.handled_at <= following.sent_at
            assert told(found)
    assert {("dead", "expiry"), ("suspected", "probe"), ("refuted", "member")} <= seen


def test_the_explanation_is_the_same_each_time_and_leaves_the_run_as_it_is() -> None:
    runs = [explain(scenario(CRASH), 1, "n003", "n001") for _ in range(2)]
    assert explanation_json(runs[0]) == explanation_json(runs[1])
    watched, plain = (Cluster(scenario(CRASH), 1) for _ in range(2))
    Provenance(watched, "n003")
    assert watched.run().trace == plain.run().trace


def test_a_run_by_wire_is_explained_as_the_same_run_by_reference() -> None:
    by_wire = f"by_wire = true\n{CRASH}"
    explanations = [explanation_json(explained(text, "n003", "n001")) for text in (CRASH, by_wire)]
    assert explanations[0] == explanations[1]
    with pytest.raises(UsageError, match="by reference"):
        Provenance(Cluster(scenario(by_wire), 1), "n003")


def test_a_run_that_breaks_is_explained_as_far_as_it_went(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(self: Cluster) -> None:
        self.world.run_until(18.0)
        raise AssertionError("planted")

    monkeypatch.setattr(Cluster, "run", run)
    found = explain(scenario(CRASH), 1, "n003", "n001")
    assert "planted" in found.broke
    assert "THE RUN BROKE" in told(found)
    assert found.since is not None
    assert found.since <= 18.0


def test_names_that_nobody_has_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"--at: there is no 'n009'"):
        explain(scenario(CRASH), 1, "n003", "n009")
    with pytest.raises(ScenarioError, match=r"--member: there is no 'n03'; did you mean 'n003'"):
        explain(scenario(CRASH), 1, "n03", "n001")


# -- as an operator types it -----------------------------------------------------------------


def simulate(*words: str) -> Result:
    return CliRunner().invoke(command, words)


def test_explain_prints_the_chain_and_ends_with_0() -> None:
    done = simulate("explain", "single-crash", "--member", "n005", "--at", "n003")
    assert done.exit_code == 0, done.output
    for part in ("n005 was declared dead at n003", "THE SUSPICION at", "The root: the probe of"):
        assert part in done.stdout


def test_json_holds_the_whole_chain() -> None:
    words = ("explain", "single-crash", "--member", "n005", "--at", "n003", "--json")
    found = json.loads(simulate(*words).stdout)
    assert found["belief"] == "dead"
    first = found["suspicion"]["accusations"][0]
    assert set(first) == set(Accusation.__match_args__)
    assert first["route"]["probe"]["ping"]["lost"] == "nobody"


def test_a_number_is_a_seed_of_fuzz() -> None:
    words = ("--nodes-max", "4", "--member", "n001", "--at", "n000", "--json")
    found = json.loads(simulate("explain", "100", *words).stdout)
    assert (found["scenario"], found["seed"]) == ("fuzz-100", 100)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("100", "--seed", "3", "--member", "n001", "--at", "n000"), "--seed 3"),
        (("single-crash", "--member", "n001", "--at", "n099"), "n099"),
        (("single-crash", "--member", "n001", "--at", "n000", "--set", "nodes"), "KEY=VALUE"),
        (("no-such", "--member", "n001", "--at", "n000"), "no-such"),
        (("single-crash", "--at", "n000"), "--member"),
        (("single-crash", "--member", "n001", "--at", "n000", "--when", "-1"), "--when"),
        (("single-crash", "--member", "n001", "--at", "n000", "--when", "inf"), "--when"),
        (("single-crash", "--member", "n001", "--at", "n000", "--when", "nan"), "--when"),
    ],
)
def test_what_makes_no_sense_ends_with_2(words: tuple[str, ...], said: str) -> None:
    done = simulate("explain", *words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert said in done.stderr
