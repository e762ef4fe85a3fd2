"""One machine of the simulated cluster: what it does when it fails, and when it comes back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from gossipd.address import Address
from gossipd.errors import UsageError
from gossipd.node.events import NodeEvent, SyncFinished
from gossipd.swim.events import MemberFailed
from gossipd.value import replace
from gossipd.wire.codec import encode
from gossipd.wire.messages import Ping
from gossipd.wire.serf_messages import MemberStatus
from gossipd_sim.host import Host
from gossipd_sim.inbox import DATAGRAM_OVERHEAD, RECEIVE_BUFFER, Inbox
from gossipd_sim.network import Datagram
from gossipd_sim.observer import Watcher
from gossipd_sim.outgoing import SENDS_WAITING_MAX
from gossipd_sim.site import Site
from gossipd_sim.world import World

ALIVE, FAILED, LEFT = MemberStatus.ALIVE, MemberStatus.FAILED, MemberStatus.LEFT
STRANGER = Address(bytes([10, 9, 9, 9]), 7946)


def is_join(event: NodeEvent) -> bool:
    return isinstance(event, SyncFinished) and event.is_join


class Log(Watcher):
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, NodeEvent, float]] = []
        self.packets: list[tuple[str, float]] = []
        self.steps: list[tuple[str, float]] = []

    def on_event(self, host: Host, event: NodeEvent, now: float) -> None:
        self.events.append((host.name, event, now))

    def on_packet(self, sender: Host, to: Address, data: Datagram, now: float) -> None:
        self.packets.append((sender.name, now))

    def on_step(self, host: Host, now: float) -> None:
        self.steps.append((host.name, now))

    def sent_by(self, name: str, since: float = 0.0) -> list[float]:
        return [when for sender, when in self.packets if sender == name and when > since]

    def syncs_of(self, name: str) -> list[NodeEvent]:
        return [event for host, event, _ in self.events if host == name and is_join(event)]

    def failures_seen_by(self, name: str) -> list[str]:
        return [
            event.member.name
            for host, event, _ in self.events
            if host == name and isinstance(event, MemberFailed)
        ]


def make_site(count: int = 4, seed: int = 1) -> tuple[Site, Log, list[Host]]:
    """Return a site whose hosts have joined the first one and agree."""
    site, log = Site(seed), Log()
    site.observers.append(log)
    hosts = [site.add_host(f"n{number:03d}") for number in range(count)]
    for host in hosts:
        host.boot()
        host.join(hosts[:1])
    assert site.run_until(lambda: site.all_show(ALIVE, site.hosts), 10.0) < 10.0
    site.run(5.0)
    return site, log, hosts


def test_a_crashed_host_says_nothing_more_and_the_others_find_out() -> None:
    site, log, hosts = make_site()
    hosts[3].crash()
    crashed_at = site.world.now
    assert (hosts[3].is_up, hosts[3].statuses()) == (False, {})
    assert 1.0 < site.run_until(lambda: site.all_show(FAILED, ["n003"]), 60.0) < 20.0
    assert log.sent_by("n003", crashed_at) == []
    hosts[3].crash()


def test_a_restarted_host_is_a_new_life_that_remembers_its_peers_or_waits_to_be_told() -> None:
    site, log, hosts = make_site()
    first = hosts[3].node
    hosts[3].restart(remember=True)
    assert hosts[3].life == 2
    assert hosts[3].node is not first
    assert list(hosts[3].statuses()) == ["n003"]
    assert site.run_until(lambda: site.all_show(ALIVE, site.hosts), 10.0) < 1.0
    log.events.clear()
    hosts[2].restart(remember=False)
    site.run(0.5)
    assert not log.syncs_of("n002"), "others may find it, but it asks nobody"
    hosts[2].join(hosts[:1])
    assert site.run_until(lambda: site.all_show(ALIVE, site.hosts), 10.0) < 1.0


def test_a_host_that_remembers_only_the_dead_tries_them_all_and_finds_the_living() -> None:
    site, _, hosts = make_site(5)
    for host in hosts[:3]:
        host.crash()
    hosts[4].restart(remember=True)
    assert site.run_until(lambda: hosts[4].statuses().get("n003") is ALIVE, 30.0) < 1.0


def test_a_host_that_remembers_goes_on_at_its_last_lamport_times() -> None:
    _, _, hosts = make_site()
    node = hosts[3].node
    assert node is not None
    before = node.memory()
    assert before.clock > 0
    hosts[3].restart(remember=True)
    again = hosts[3].node
    assert again is not None
    assert again.memory() == before
    hosts[3].restart(remember=False)
    fresh = hosts[3].node
    assert fresh is not None
    assert fresh.memory().clock < before.clock


def test_a_host_that_saw_all_others_fail_finds_them_when_they_are_back() -> None:
    site, _, hosts = make_site(3)
    for host in hosts[:2]:
        host.crash()
    assert site.run_until(lambda: site.all_show(FAILED, ["n000", "n001"]), 60.0) < 40.0
    hosts[0].boot()
    hosts[2].restart(remember=True)
    assert site.run_until(lambda: site.all_show(ALIVE, ["n000", "n002"]), 30.0) < 15.0


def test_a_join_is_tried_again_until_the_seed_is_there() -> None:
    site = Site(1)
    seed, joiner = site.add_host("seed"), site.add_host("joiner")
    joiner.boot()
    joiner.join([seed])
    site.run(5.0)
    seed.boot()
    assert site.run_until(lambda: site.all_show(ALIVE, ["seed", "joiner"]), 60.0) < 10.0


def test_a_host_that_leaves_stops_by_itself_and_is_shown_as_left() -> None:
    site, _, hosts = make_site()
    hosts[1].leave()
    hosts[1].leave()
    assert hosts[1].is_leaving
    assert site.run_until(lambda: not hosts[1].is_up, 30.0) < 15.0
    assert hosts[1].has_left
    assert not hosts[1].is_leaving
    site.run(1.0)
    assert site.all_show(LEFT, ["n001"])


def test_a_frozen_host_does_nothing_and_catches_up_when_it_thaws() -> None:
    site, log, hosts = make_site()
    frozen_at = site.world.now
    hosts[2].freeze()
    site.run(2.0)
    assert log.sent_by("n002", frozen_at) == []
    assert [when for host, when in log.steps if host == "n002" and when > frozen_at] == []
    hosts[2].thaw()
    assert log.sent_by("n002", frozen_at), "the pings that waited are answered at once"
    site.run(30.0)
    assert site.all_show(ALIVE, site.hosts)
    assert log.failures_seen_by("n002") == []


def test_a_host_frozen_for_long_is_declared_dead_and_refutes_when_it_thaws() -> None:
    site, _, hosts = make_site()
    hosts[2].freeze()
    others = [host for host in hosts if host is not hosts[2]]
    assert site.run_until(lambda: all(h.statuses()["n002"] is FAILED for h in others), 60.0) < 30.0
    hosts[2].thaw()
    assert site.run_until(lambda: site.all_show(ALIVE, site.hosts), 60.0) < 30.0


def test_datagrams_wait_at_a_frozen_host_up_to_its_receive_buffer() -> None:
    _, _, hosts = make_site(2)
    hosts[1].freeze()
    room = RECEIVE_BUFFER // (DATAGRAM_OVERHEAD + 100)
    taken = [hosts[1].packet_arrived(bytes(100), STRANGER, 100) for _ in range(room + 10)]
    assert taken == [True] * room + [False] * 10
    hosts[1].thaw()
    assert hosts[1].packet_arrived(bytes(100), STRANGER, 100)


def test_a_slow_host_answers_late_and_in_order() -> None:
    site, _, hosts = make_site()
    hosts[1].slow(0.3)
    site.run(1.0)
    node = hosts[1].node
    assert node is not None
    seen: list[tuple[bytes, float]] = []

    def note(data: Datagram, source: Address, now: float) -> None:
        seen.append((bytes(data), site.world.now))

    node.receive_packet = note  # type: ignore[method-assign]
    start = site.world.now
    hosts[1].packet_arrived(b"first", STRANGER, len(b"first"))
    site.run(0.1)
    hosts[1].slow(0.0)
    hosts[1].packet_arrived(b"second", STRANGER, len(b"second"))
    site.run(0.3)
    ours = [(data, round(when - start, 6)) for data, when in seen if data in (b"first", b"second")]
    assert ours == [(b"first", 0.3), (b"second", 0.3)]


def test_a_starved_host_handles_one_thing_after_another_and_its_deadlines_among_them() -> None:
    site, log, hosts = make_site(2)
    assert hosts[1].node is not None
    hosts[1].starve(lambda: 0.3)
    start = site.world.now
    log.steps.clear()
    for seq in range(4):
        hosts[1].packet_arrived(encode(Ping(seq, "n001", STRANGER, "x")), STRANGER, 30)
    site.run(1.0)
    taken = [round(when - start, 6) for host, when in log.steps if host == "n001"]
    assert taken == [0.3, 0.6, 0.9]
    site.run(30.0)
    gaps = [round(when - start, 6) for host, when in log.steps if host == "n001"]
    assert min(b - a for a, b in pairwise(gaps)) == pytest.approx(0.3)
    hosts[1].starve(None)
    assert not hosts[1].is_hindered
    site.run(20.0)
    assert site.all_show(ALIVE, site.hosts)


def test_a_paced_host_reads_one_thing_after_another_while_its_timers_go_on() -> None:
    site, log, hosts = make_site(2)
    node = hosts[1].node
    assert node is not None
    hosts[1].pace(lambda: 0.3)
    taken: list[float] = []

    def note(data: Datagram, source: Address, now: float) -> None:
        taken.append(round(site.world.now - start, 6))

    node.receive_packet = note  # type: ignore[method-assign]
    start = site.world.now
    for _ in range(20):
        assert hosts[1].packet_arrived(b"one of a backlog", STRANGER, 16)
    site.run(1.0)
    assert taken == [0.3, 0.6, 0.9]
    hosts[1].block_receiving()
    site.run(10.0)
    assert len(taken) == 3
    assert log.sent_by("n001", start), "it pings though its input waits"
    assert hosts[1].statuses()["n000"] is FAILED
    hosts[1].unblock_receiving()
    assert not hosts[1].is_hindered
    site.run(0.7)
    assert len(taken) == 5, "the next one takes its time again"


def test_streams_of_a_paced_host_do_not_wait_behind_its_datagrams() -> None:
    world = World(1)
    taken: list[tuple[object, ...]] = []

    def take(verb: Callable[..., object], *args: object) -> None:
        taken.append((round(world.now, 6), *args))

    inbox = Inbox(world, take)
    inbox.serve(lambda: 0.3, datagrams_only=True)
    assert inbox.put_datagram(print, b"1", STRANGER, 1)
    assert inbox.put_datagram(print, b"2", STRANGER, 1)
    inbox.put(print, ("stream",))
    world.run_until(0.4)
    assert taken == [(0.0, "stream"), (0.3, b"1", STRANGER)]
    inbox.shut()
    inbox.put(print, ("late stream",))
    assert inbox.put_datagram(print, b"3", STRANGER, 1)
    world.run_until(2.0)
    assert len(taken) == 2
    inbox.open()
    assert taken[2:] == [(2.0, "late stream")]
    world.run_until(3.0)
    assert taken[3:] == [(2.3, b"2", STRANGER), (2.6, b"3", STRANGER)]


def test_a_starved_host_that_turns_deaf_still_minds_its_timers() -> None:
    site, _, hosts = make_site(3)
    hosts[1].starve(lambda: 2.0)
    site.run(5.0)
    hosts[1].block_receiving()
    site.run(60.0)
    assert hosts[1].statuses()["n000"] is FAILED


def test_a_mute_host_hears_but_what_it_says_waits() -> None:
    site, log, hosts = make_site()
    mute_from = site.world.now
    hosts[2].block_sending()
    site.run(2.0)
    assert log.sent_by("n002", mute_from) == []
    assert [when for host, when in log.steps if host == "n002" and when > mute_from]
    hosts[2].unblock_sending()
    assert log.sent_by("n002", mute_from)
    site.run(20.0)
    assert site.all_show(ALIVE, site.hosts)


def test_a_mute_host_probes_no_further_and_accuses_one_peer_when_it_speaks_again() -> None:
    site, _, hosts = make_site()
    hosts[2].block_sending()
    site.run(6.0)
    assert hosts[2].node is not None
    assert hosts[2].node.view().suspicions == {}
    hosts[2].unblock_sending()
    assert len(hosts[2].node.view().suspicions) == 1


def test_a_host_frozen_while_it_becomes_mute_learns_of_it_when_it_thaws() -> None:
    site, log, hosts = make_site()
    hosts[2].freeze()
    hosts[2].block_sending()
    site.run(3.0)
    hosts[2].thaw()
    site.run(10.0)
    assert hosts[2].node is not None
    assert hosts[2].node.view().suspicions == {}, "its round hangs"
    hosts[2].freeze()
    hosts[2].unblock_sending()
    log.packets.clear()
    site.run(1.0)
    assert hosts[2].node.view().suspicions == {}
    hosts[2].thaw()
    assert len(hosts[2].node.view().suspicions) == 1
    assert log.sent_by("n002")


def test_what_waits_to_be_sent_is_bounded() -> None:
    _, log, hosts = make_site(2)
    hosts[1].block_sending()
    for seq in range(SENDS_WAITING_MAX + 50):
        hosts[1].packet_arrived(encode(Ping(seq, "n001", STRANGER, "x")), STRANGER, 50)
    assert hosts[1].sends_dropped == 50
    log.packets.clear()
    hosts[1].unblock_sending()
    assert len(log.sent_by("n001")) == SENDS_WAITING_MAX


def test_a_deaf_host_goes_on_with_its_timers_and_suspects_its_peers() -> None:
    site, log, hosts = make_site()
    hosts[1].block_receiving()
    deaf_from = site.world.now
    site.run(3.0)
    assert log.sent_by("n001", deaf_from)
    hosts[1].unblock_receiving()
    site.run(30.0)
    assert site.all_show(ALIVE, site.hosts)


def test_a_drifting_clock_makes_a_host_probe_more_often() -> None:
    def probes(rate: float) -> int:
        site, log, hosts = make_site(2)
        hosts[1].clock_drift(rate)
        start, local = site.world.now, hosts[1].local_time()
        site.run(100.0)
        assert hosts[1].local_time() - local == pytest.approx(100.0 * (1 + rate))
        return len(log.sent_by("n001", start))

    right, fast, slow = probes(0.0), probes(0.5), probes(-0.5)
    assert slow < right < fast


def test_a_clock_only_leaps_ahead_and_what_became_due_happens_at_once() -> None:
    site, log, hosts = make_site()
    start, local = site.world.now, hosts[1].local_time()
    hosts[1].clock_jump(3600.0)
    assert hosts[1].local_time() == pytest.approx(local + 3600.0)
    site.run(0.001)
    assert [when for host, when in log.steps if host == "n001" and when >= start]
    with pytest.raises(UsageError, match="leaps ahead"):
        hosts[1].clock_jump(-1.0)
    site.run(30.0)
    assert site.all_show(ALIVE, site.hosts)


def test_local_time_never_falls_whatever_happens_to_the_clock() -> None:
    site, _, hosts = make_site(2)
    last = hosts[1].local_time()
    random = site.world.random("clock")
    for _ in range(200):
        what = random.randrange(3)
        if what == 0:
            hosts[1].clock_jump(random.random())
        elif what == 1:
            hosts[1].clock_drift(random.uniform(-0.9, 2.0))
        site.run(random.random() * 0.2)
        assert hosts[1].local_time() >= last
        last = hosts[1].local_time()


def test_a_dead_life_leaves_nothing_to_the_next() -> None:
    site, log, hosts = make_site()
    hosts[2].freeze()
    hosts[2].block_sending()
    hosts[2].slow(5.0)
    site.run(1.0)
    hosts[2].crash()
    assert not hosts[2].is_hindered
    log.events.clear()
    log.packets.clear()
    site.run(0.5)
    hosts[2].boot()
    booted_at = site.world.now
    assert log.sent_by("n002") == []
    site.run(20.0)
    steps = [when for host, when in log.steps if host == "n002" and when > booted_at]
    assert len(steps) > 10, "the new life runs at full speed"
    assert all(when >= booted_at for host, _, when in log.events if host == "n002")


def test_a_host_that_is_up_cannot_boot() -> None:
    _, _, hosts = make_site(2)
    with pytest.raises(UsageError, match="up already"):
        hosts[0].boot()


def test_two_hosts_may_claim_one_name_and_a_new_host_an_old_address() -> None:
    site, _, hosts = make_site()
    clash = site.add_host("clash", replace(hosts[1].config))
    clash.boot()
    clash.join(hosts[:1])
    site.run(20.0)
    shown = {member.name: member.address for member in hosts[0].node.view().members}  # type: ignore[union-attr]
    assert shown["n001"] == hosts[1].address
    hosts[3].crash()
    heir = site.add_host("heir", address=hosts[3].address)
    heir.boot()
    heir.join(hosts[:1])
    site.run(20.0)
    shown = {member.name: member.address for member in hosts[0].node.view().members}  # type: ignore[union-attr]
    assert shown["heir"] == hosts[3].address
    assert hosts[0].statuses()["n003"] is FAILED


def test_a_moved_host_is_not_reached_at_its_old_address() -> None:
    site, _, hosts = make_site()
    old = hosts[2].address
    hosts[2].crash()
    hosts[2].address = Address(old.ip, old.port + 1)
    hosts[2].boot()
    assert site.network.at(old) is None
    assert site.network.at(hosts[2].address) is hosts[2]


def test_commands_reach_a_frozen_host_when_it_thaws() -> None:
    site, _, hosts = make_site()
    hosts[1].freeze()
    hosts[1].set_tags({"role": "db"})
    hosts[1].leave()
    site.run(1.0)
    assert not hosts[1].is_leaving
    hosts[1].thaw()
    assert hosts[1].is_leaving
    assert site.run_until(lambda: not hosts[1].is_up, 30.0) < 20.0


def test_an_operator_can_force_a_dead_member_out() -> None:
    site, _, hosts = make_site()
    hosts[3].crash()
    assert site.run_until(lambda: site.all_show(FAILED, ["n003"]), 60.0) < 30.0
    hosts[0].force_leave("n003")
    assert site.run_until(lambda: site.all_show(LEFT, ["n003"]), 60.0) < 10.0
