"""The garbage collector during a run: thousands of nodes live to its end, so look seldom."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (100_000, 50, 1000)
"""Of Python's three generations; by default (700, 10, 10), each look visiting all nodes."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Leave what exists now alone, and look rarely at what is made meanwhile.

    What an earlier run left goes first: frozen with the rest it would stay for ever.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
