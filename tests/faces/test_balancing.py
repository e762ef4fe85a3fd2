"""``ServiceBalancer`` on a watch told by hand: threads, retries, a daemon that goes away."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gossipd.balance.no_instance import NoInstance
from gossipd.client import following
from gossipd.client.at import At
from gossipd.client.balancing import ServiceBalancer
from gossipd.client.blocking import Client
from gossipd.client.connection import RequestRefused
from gossipd.errors import Unavailable, UsageError
from gossipd.query.replies import CoordinateReply
from gossipd.services.definition import NodeState
from gossipd.services.instance import CHANGED, DOWN, UP
from gossipd.services.own import OwnServices
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_watch import FakeDaemon
from support.instances import change, instance, reset
from support.rpc_thread import rpc_thread
from support.waiting import wait_for

A, B, C = (instance(owner) for owner in "abc")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RETRY_FIRST", 0.001)


def balancer(daemon: FakeDaemon, **options: Any) -> ServiceBalancer:
    return ServiceBalancer("web", daemon.connect, random=Random(1), **options)


def test_it_has_the_set_when_it_is_entered_and_follows_changes() -> None:
    daemon = FakeDaemon(reset(A, B))
    with balancer(daemon) as web:
        assert web.instances == (A, B)
        daemon.tell(change(UP, C))
        assert len(web.instances) == 3
        daemon.tell(change(DOWN, A, index=3))
        with web.pick() as at:
            assert (at.host, at.port, at.netloc) == ("127.0.0.1", 80, "127.0.0.1:80")
            assert at.instance in (B, C)
            assert sum(report.outstanding for report in web.snapshot().instances) == 1
    assert all(connection.is_closed for connection in daemon.connections)


def test_urls_are_written_with_brackets_where_needed() -> None:
    at = At(instance("a", owner_address="fd00::1", port=8080))
    assert at.url("health") == "http://[fd00::1]:8080/health"
    assert at.url("/", scheme="https") == "https://[fd00::1]:8080/"


def test_what_leaves_the_block_counts() -> None:
    def fail_with(error: BaseException) -> None:
        with pytest.raises(type(error)), web.pick():
            raise error

    with balancer(FakeDaemon(reset(A))) as web:
        fail_with(TimeoutError())
        with web.pick() as at:
            at.fail()
        fail_with(KeyboardInterrupt())
        (report,) = web.snapshot().instances
        assert (report.requests, report.failures, report.outstanding) == (3, 2, 0)


def test_what_judges_an_answer_may_ask_the_balancer() -> None:
    looked = threading.Event()

    def look() -> None:
        web.snapshot()
        looked.set()

    def judge(outcome: object) -> bool:
        threading.Thread(target=look, daemon=True).start()  # not here: it might hang for ever
        assert looked.wait(5)
        return False

    with balancer(FakeDaemon(reset(A))) as web:
        assert web.call(lambda at: "fine", is_failure=judge) == "fine"
        assert web.snapshot().instances[0].outstanding == 0


def test_a_call_tries_another_and_returns_what_it_said() -> None:
    asked = []

    def send(at: At) -> str:
        asked.append(at.instance.owner)
        if len(asked) < 3:
            raise TimeoutError("too slow")
        return "fine"

    with balancer(FakeDaemon(reset(A, B, C))) as web:
        assert web.call(send, idempotent=True) == "fine"
    assert sorted(asked) == ["a", "b", "c"]


def test_the_last_failure_is_the_callers() -> None:
    def send(at: At) -> str:
        raise TimeoutError(at.instance.owner)

    with balancer(FakeDaemon(reset(A, B))) as web:
        with pytest.raises(TimeoutError):
            web.call(send, attempts=2, idempotent=True)
        bad = web.call(lambda at: "bad", is_failure=lambda got: got == "bad", idempotent=True)
        assert bad == "bad"


def test_a_call_says_how_long_each_attempt_may_take() -> None:
    with balancer(FakeDaemon(reset(A))) as web:
        timeout = web.call(lambda at: at.timeout, attempts=2, timeout=4.0)
        assert timeout is not None
        assert 1.9 < timeout <= 2.0
        assert web.call(lambda at: at.timeout) is None


def test_an_interrupted_call_says_nothing_about_the_instance() -> None:
    def send(at: At) -> None:
        raise KeyboardInterrupt

    with balancer(FakeDaemon(reset(A))) as web:
        with pytest.raises(KeyboardInterrupt):
            web.call(send)
        (report,) = web.snapshot().instances
        assert (report.failures, report.outstanding) == (0, 0)


def test_without_instances_there_is_nobody_to_ask() -> None:
    with balancer(FakeDaemon(reset())) as web:
        with pytest.raises(NoInstance), web.pick():
            pass
        with pytest.raises(NoInstance):
            web.call(lambda at: None)


def test_it_goes_on_while_the_daemon_is_away_and_resumes_where_it_was() -> None:
    daemon = FakeDaemon(reset(A, B, index=7))
    with balancer(daemon) as web:
        daemon.go_away()
        stale_for = web.snapshot().stale_for
        assert stale_for is not None
        assert stale_for >= 0
        with web.pick() as at:
            assert at.instance in (A, B)
        while daemon.connected.acquire(blocking=False):
            pass
        daemon.is_away = False
        assert daemon.connected.acquire(timeout=10)
        daemon.tell(change(CHANGED, B, index=8, weight=0))
        assert web.snapshot().stale_for is None
        assert daemon.asked_from == [0, 7]
        with web.pick() as at:
            assert at.instance == A


def test_entering_fails_when_no_daemon_answers_or_it_refuses() -> None:
    daemon = FakeDaemon(reset(A))
    daemon.is_away = True
    with pytest.raises(Unavailable, match=r"web: no answer .* nobody answers"):
        balancer(daemon, wait=0.05).__enter__()
    daemon.is_away = False
    daemon.refusal = RequestRefused("Unsupported command")
    with pytest.raises(RequestRefused, match=r"Unsupported"):
        balancer(daemon).__enter__()


def test_it_may_be_entered_again_and_keeps_what_it_knew() -> None:
    daemon = FakeDaemon(reset(A, B, index=7))
    web = balancer(daemon)
    for _ in range(2):
        with web:
            assert web.call(lambda at: at.instance) in (A, B)
        assert web.snapshot().stale_for is not None
        assert len(web.instances) == 2
    assert daemon.asked_from[0] == 0
    assert set(daemon.asked_from[1:]) <= {7}


def test_a_judge_that_raises_leaves_nothing_open() -> None:
    def judge(outcome: object) -> bool:
        raise ValueError(outcome)

    with balancer(FakeDaemon(reset(A))) as web:
        with pytest.raises(ValueError, match="fine"):
            web.call(lambda at: "fine", is_failure=judge)
        assert web.snapshot().instances[0].outstanding == 0


def test_wrong_options_are_named() -> None:
    daemon = FakeDaemon(reset(A))
    with pytest.raises(UsageError, match=r"^policy: 'fastest'"):
        balancer(daemon, policy="fastest")
    with pytest.raises(UsageError, match=r"^slow_startt: "):
        balancer(daemon, slow_startt=3.0)


def test_its_own_zone_is_the_daemons_node_s() -> None:
    daemon = FakeDaemon(reset(instance("a", zone="x"), instance("b", zone="y")))
    daemon.own = OwnServices(node=NodeState(zone="y"))
    with balancer(daemon, policy="zone") as web:
        assert {web.call(lambda at: at.instance.owner) for _ in range(20)} == {"b"}
    with balancer(daemon, policy="zone", zone="x") as web:
        assert {web.call(lambda at: at.instance.owner) for _ in range(20)} == {"a"}


def place(x: float) -> CoordinateReply:
    return CoordinateReply((x,) + (0.0,) * 7, 1e-5, 0.0, 0.1)


def test_the_nearest_is_found_by_coordinates() -> None:
    daemon = FakeDaemon(reset(A, B))
    daemon.places = {"here": place(0.0), "a": place(0.05), "b": place(0.01), "c": place(0.001)}
    with balancer(daemon, policy="nearest") as web:
        daemon.tell(change(CHANGED, A, load=0.1))  # the first set's distances are known by now
        assert {web.call(lambda at: at.instance.owner) for _ in range(20)} == {"b"}
        daemon.tell(change(UP, C, index=3))
        daemon.tell(change(CHANGED, A, index=4))
        assert {web.call(lambda at: at.instance.owner) for _ in range(20)} == {"c"}


def test_distances_that_nobody_knew_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "UNKNOWN_KEPT", 0.001)
    daemon = FakeDaemon(reset(A, B))
    with balancer(daemon, policy="nearest") as web:
        assert {report.distance for report in web.snapshot().instances} == {None}
        daemon.places = {"here": place(0.0), "a": place(0.05), "b": place(0.01)}
        wait_for(lambda: web.snapshot().instances[1].distance, 10, "distances", interval=0.001)
        assert {web.call(lambda at: at.instance.owner) for _ in range(20)} == {"b"}


def test_many_threads_may_use_it_while_the_set_changes() -> None:
    daemon = FakeDaemon(reset(A, B, C))
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def work() -> None:
        for number in range(200):
            owner = web.call(lambda at: at.instance.owner, idempotent=True)
            with web.pick() as at:
                assert at.port == 80
            if number % 50 == 0:
                web.snapshot()
            with lock:
                counts[owner] += 1

    with balancer(daemon, policy="round-robin") as web:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for index in range(2, 40):
            daemon.tell(change(CHANGED, B, index=index, load=index / 100))
        for thread in threads:
            thread.join(30)
        assert all(report.outstanding == 0 for report in web.snapshot().instances)
    assert sum(counts.values()) == 1600
    assert set(counts) == {"a", "b", "c"}


def test_a_client_makes_one_with_a_connection_of_its_own(tmp_path: Path) -> None:
    with rpc_thread(tmp_path, FakeHandle(make_view(make_member("a")))) as server:
        with Client(server.path) as client:
            web = client.balancer("web", policy="least", retry_share=0.5)
            with pytest.raises(UsageError, match=r"^policy: "):
                client.balancer("web", policy="?")
        assert web.name == "web"
        assert web.snapshot().policy == "least"


def test_a_client_that_balances_nothing_does_not_load_how() -> None:
    code = (
        "import sys, gossipd.client.blocking\n"
        "print([m for m in sys.modules if m.startswith('gossipd.balance') or m == 'threading'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
