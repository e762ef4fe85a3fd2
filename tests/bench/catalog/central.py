"""The same two moments at one etcd: a registration told to all watchers, a dead provider gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bench.catalog.registry import (
    KEEP_ALIVE_SHARE,
    LEASE_SECONDS,
    Etcd,
    EtcdClient,
    EtcdWatch,
    time_of,
)
from gossipd.value import Value

PREFIX = "services/web/"
PAUSE = 0.3


class Central(Value, kw_only=True):
    """What was measured; seconds, of each watch."""

    reached: tuple[float, ...]
    """From writing a key until a watch told of it."""
    removed: tuple[float, ...]
    """From the last sign of life of a provider until a watch told that its key is gone."""


def measure_central(
    watches: int, registrations: int, kills: int, folder: Path, say: Callable[[str], None]
) -> Central:
    """Start one etcd, have it watched, and register and stop renewing."""
    with Etcd(folder) as etcd:
        followers = [EtcdWatch(etcd, PREFIX) for _ in range(watches)]
        provider = EtcdClient(etcd)
        try:
            reached: list[float] = []
            for number in range(registrations):
                lease = provider.grant(600)
                key = f"{PREFIX}{number}"
                began = time.monotonic()
                provider.put(key, "127.0.0.1:8080", lease)
                reached += time_of(followers, key, began)
                time.sleep(PAUSE)
            removed: list[float] = []
            for number in range(kills):
                removed += _removed(provider, followers, f"{PREFIX}dead-{number}")
            say(f"etcd: {registrations} keys told to {watches} watches, {kills} leases run out")
        finally:
            provider.close()
            for follower in followers:
                follower.close()
    return Central(reached=tuple(reached), removed=tuple(removed))


def _removed(provider: EtcdClient, followers: list[EtcdWatch], key: str) -> list[float]:
    """Register as a provider that renews its lease, and die at a random part of a renewal."""
    lease = provider.grant()
    provider.put(key, "127.0.0.1:8080", lease)
    for _ in range(2):
        time.sleep(LEASE_SECONDS / KEEP_ALIVE_SHARE)
        provider.keep_alive(lease)
    time.sleep(LEASE_SECONDS / KEEP_ALIVE_SHARE / 2)  # halfway to the next, as the mean death is
    began = time.monotonic()
    time_of(followers, key, began, timeout=0.05)
    for follower in followers:
        follower.forget()
    return time_of(followers, key, began)
