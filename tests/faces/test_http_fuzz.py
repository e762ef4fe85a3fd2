"""Random requests against every route: legal answers, no defect, nothing held afterwards.

``make bench-http`` sends a hundred thousand.
"""

from __future__ import annotations

from support.http_fuzz import fuzz

REQUESTS = 2000


async def test_random_requests_are_answered_legally() -> None:
    report = await fuzz(1, REQUESTS)
    assert report.failures == []
    assert {200, 400, 404, 405, 413, 501} <= set(report.statuses)
