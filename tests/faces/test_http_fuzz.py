"""Random requests against every route: legal answers, no defect, nothing held afterwards.

``make bench-http`` sends a hundred thousand to a real daemon.
"""

from __future__ import annotations

import trio.testing

from support.http_noise import fuzz

REQUESTS = 5000


async def test_random_requests_are_answered_legally(
    autojump_clock: trio.testing.MockClock,
) -> None:
    report = await fuzz(1, REQUESTS)
    assert report.failures == []
    assert {200, 400, 404, 405, 408, 413, 501} <= set(report.statuses)
    assert min(report.kinds.values()) > 50
