"""What a daemon does before the first word of a service, once somebody waits for it.

A daemon without services has loaded none of what they need. Whoever follows one waits
for the first change, so loading and making begin when the first follower comes: in steps
of about a millisecond, between which the daemon answers its peers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gossipd.value import prepare


def steps_before_services(open_catalog: Callable[[], bool]) -> Iterator[None]:
    """Do the next step whenever the next element is asked for.

    Args:
        open_catalog: does a part of making the node's catalog; returns whether more is left.
    """
    yield from _load()
    yield from _make_constructors()
    while open_catalog():
        yield


def _load() -> Iterator[None]:
    import gossipd.wire.catalog_codec

    yield
    import gossipd.catalog.replica

    yield
    import gossipd.catalog.own_checks

    yield
    import gossipd.catalog.telling

    yield
    import gossipd.catalog.provider

    yield
    import gossipd.catalog.shelves

    yield
    import gossipd.catalog.syncing

    yield
    import gossipd.catalog.catalog

    yield
    import gossipd.agent.log.service_lines  # noqa: F401 - as all of these: for later

    yield


def _make_constructors() -> Iterator[None]:
    from gossipd.catalog import effects, events, owners, timers
    from gossipd.services import definition, instance
    from gossipd.wire import catalog_messages

    for room in (catalog_messages, definition, instance, owners, timers, effects, events):
        prepare(vars(room))
        yield
