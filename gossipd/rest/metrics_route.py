"""``GET /metrics``: everything that is counted here, for Prometheus and its kind; and
``GET /v1/agent/metrics``, the same in Consul's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossipd.rest.own.json_pieces import encoded
from gossipd.rest.values import Reply, Request, Route

if TYPE_CHECKING:
    from gossipd.metrics.samples import State
    from gossipd.rest.desk import Desk


async def show_metrics(request: Request, desk: Desk) -> Reply:
    """Answer with all metrics, as text or OpenMetrics by ``Accept``."""
    from gossipd.metrics import families, process  # with the first scrape
    from gossipd.metrics.exposition import exposed
    from gossipd.metrics.samples import Sample, samples_of

    samples = samples_of(state_of(desk))
    values: list[Sample]
    for name, value in process.process_values().items():
        values = [((), value)]
        samples[name] = values
    shown = (*families.FAMILIES, *process.FAMILIES)
    body, content_type = exposed(shown, samples, request.headers.get("accept", ""))
    return Reply(body=body, content_type=content_type)


def state_of(desk: Desk) -> State:
    """Return what the metrics are made of, as it is now."""
    from gossipd.metrics.collecting import runtime
    from gossipd.metrics.samples import State
    from gossipd.version import __version__

    handle, ledger = desk.handle, desk.ledger
    return State(
        view=handle.view(),
        statistics=handle.statistics(),
        counts=ledger.counts,
        tallies=ledger.tallies,
        degraded=handle.degraded(),
        runtime=runtime(),
        version=__version__,
    )


async def show_telemetry(request: Request, desk: Desk) -> Reply:
    """Answer as Consul's agent: what happened since somebody asked last, ten seconds at least."""
    if request.first("format") == "prometheus":
        return await show_metrics(request, desk)
    from gossipd.metrics.collecting import Collector
    from gossipd.metrics.telemetry import telemetry_of

    if desk.collector is None:
        desk.collector = Collector(desk.handle.statistics, desk.ledger, desk.wall)
    interval, seconds = desk.collector.latest()
    return Reply(body=encoded(telemetry_of(interval, seconds)))


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        pattern="/metrics",
        handler=show_metrics,
        summary="All metrics, for Prometheus: text or OpenMetrics.",
    ),
    Route(
        method="GET",
        pattern="/v1/agent/metrics",
        handler=show_telemetry,
        summary="What was counted and measured lately, in the shape of Consul's agent.",
    ),
)
