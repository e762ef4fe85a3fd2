"""When a node that was just started begins to answer."""

from __future__ import annotations

from gossipd.address import Address
from gossipd.dns.readiness import SETTLING, Readiness
from gossipd.node.events import SyncFinished
from support.fake_handle import FakeHandle, make_member, make_view

SEED = Address(b"\x0a\0\0\x02", 7946)


def test_without_seeds_it_is_ready_at_once() -> None:
    handle = FakeHandle()
    assert Readiness(handle, expects_others=False, wait=30.0)()
    assert not handle.observers


def test_it_waits_for_a_seed_and_a_moment_for_services() -> None:
    handle = FakeHandle()
    ready = Readiness(handle, expects_others=True, wait=30.0)
    handle.happen(SyncFinished("", SEED, True, "refused"))
    handle.clock += 10.0
    assert not ready()
    handle.happen(SyncFinished("b", SEED, True))
    assert not ready()
    handle.clock += SETTLING
    assert ready()
    assert not handle.observers


def test_it_does_not_wait_for_ever() -> None:
    handle = FakeHandle()
    ready = Readiness(handle, expects_others=True, wait=30.0)
    handle.clock += 29.9
    assert not ready()
    handle.clock += 0.1
    assert ready()


def test_others_that_are_known_already_count() -> None:
    handle = FakeHandle(make_view(make_member("a"), make_member("b")))
    ready = Readiness(handle, expects_others=True, wait=30.0)
    handle.clock += SETTLING
    assert ready()
