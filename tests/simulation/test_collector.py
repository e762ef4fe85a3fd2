"""What runs of one process leave behind."""

from __future__ import annotations

import weakref

from gossipd_sim.collector import collecting_seldom


class Ring:
    """Something that holds itself, as a cluster does."""

    def __init__(self) -> None:
        self.me = self


def test_what_a_run_leaves_is_gone_when_the_next_one_begins() -> None:
    with collecting_seldom():
        left = weakref.ref(Ring())
    with collecting_seldom():
        assert left() is None
