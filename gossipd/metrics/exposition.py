"""``/metrics`` as text: what prometheus_client makes of our samples.

Loaded with the first scrape, for the library costs megabytes. What is shown is decided
in ``families.py`` and ``samples.py``; here it is only written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

from gossipd.ledger import Tallied
from gossipd.metrics.families import COUNTER, FAMILIES, GAUGE, Family
from gossipd.metrics.samples import Sample, Spread

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text"


class _Samples(Collector):
    """Shows samples that were taken beforehand."""

    def __init__(self, samples: Mapping[str, list[Sample]]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        for family in FAMILIES:
            samples = self._samples.get(family.name)
            if samples:
                yield _metric(family, samples)


def exposed(samples: Mapping[str, list[Sample]], accept: str) -> tuple[bytes, str]:
    """Return ``samples`` as text, and its media type.

    Args:
        samples: by name of their family; see ``samples.samples_of``.
        accept: what the client takes, as its header says: text, or OpenMetrics.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Samples(samples))
    PlatformCollector(registry)
    ProcessCollector(registry=registry)
    if _takes_openmetrics(accept):
        text: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return text, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), TEXT


def _takes_openmetrics(accept: str) -> bool:
    """Say whether a client wants OpenMetrics; the library reads versions of anybody's making."""
    kinds = [kind.strip().lower() for kind in accept.split(",")]
    return any(kind.partition(";")[0].rstrip() == OPENMETRICS for kind in kinds)


def _metric(family: Family, samples: list[Sample]) -> Metric:
    name, text, labels = family.name, family.text, family.labels
    if family.kind in (COUNTER, GAUGE):
        of = CounterMetricFamily if family.kind == COUNTER else GaugeMetricFamily
        plain: CounterMetricFamily | GaugeMetricFamily = of(name, text, labels=labels)
        for values, amount in samples:
            assert isinstance(amount, int | float)
            plain.add_metric(values, amount)
        return plain
    if isinstance(samples[0][1], Spread):
        histogram = HistogramMetricFamily(name, text, labels=labels)
        for values, amount in samples:
            assert isinstance(amount, Spread)
            buckets = [(_bound(bound), count) for bound, count in amount.buckets]
            histogram.add_metric(values, buckets, amount.total)
        return histogram
    summary = SummaryMetricFamily(name, text, labels=labels)
    for values, amount in samples:
        assert isinstance(amount, Tallied)
        summary.add_metric(values, amount.count, amount.total)
    return summary


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(bound)
