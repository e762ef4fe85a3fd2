"""Lines of statsd and statsite, and how they share datagrams (agent.md, section 9; pure).

serf-agent.serf.member.join:1.000000|c
serf-agent.web-1.runtime.heap_objects:90412.000000|g
serf-agent.memberlist.probeNode:0.412000|ms
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gossipd.metrics.interval import Interval, Sample
from gossipd.metrics.names import PREFIX, plain

DATAGRAM_BYTES_MAX = 1400
"""As Serf's; fits into one packet of any usual network."""


def lines_of(interval: Interval, host: str) -> Iterator[bytes]:
    """Yield one line, with its newline, for each gauge, counter and sampled value.

    Args:
        interval: a finished one.
        host: stands behind the prefix of gauges.
    """
    here = f"{PREFIX}.{plain(host)}"
    for name, value in interval.gauges.items():
        yield _line(here, name, value, "g")
    for name, count in interval.counters.items():
        yield _line(PREFIX, name, count.total, "c")
    for name, sample in interval.samples.items():
        kind = _kind_of(sample)
        for value in sample.values:
            yield _line(PREFIX, name, value, kind)


def datagrams_of(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield ``lines`` in as few datagrams as hold them; a longer line is left out."""
    datagram = b""
    for line in lines:
        if len(line) > DATAGRAM_BYTES_MAX:
            continue
        if len(datagram) + len(line) > DATAGRAM_BYTES_MAX:
            yield datagram
            datagram = b""
        datagram += line
    if datagram:
        yield datagram


def _kind_of(sample: Sample) -> str:
    """Return the kind of a timer, with the rate of what is told when not all of it is."""
    told = len(sample.values)
    return "ms" if told == sample.times else f"ms|@{told / sample.times:.6f}"


def _line(prefix: str, name: str, value: float, kind: str) -> bytes:
    text = f"{prefix}.{plain(name)}:{value:.6f}|{kind}\n"
    return text.encode("utf-8", "backslashreplace")
