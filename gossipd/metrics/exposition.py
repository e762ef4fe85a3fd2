"""``/metrics`` as text: Prometheus' format 0.0.4, and OpenMetrics 1.0 (pure).

Written by ourselves although prometheus_client could: importing it takes 3 MB, as much as
all the rest of HTTP, for it brings servers of its own. Its parsers judge this in tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gossipd.ledger import Tallied
from gossipd.metrics.families import COUNTER, Family
from gossipd.metrics.samples import Sample, Spread

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def exposed(
    families: Sequence[Family], samples: Mapping[str, list[Sample]], accept: str
) -> tuple[bytes, str]:
    """Return ``samples`` as text, and its media type.

    Args:
        families: in the order in which they are shown.
        samples: by name of their family; see ``samples.samples_of``.
        accept: what the client takes, as its header says: text, or OpenMetrics.
    """
    is_open = _takes_openmetrics(accept)
    lines: list[str] = []
    for family in families:
        found = samples.get(family.name)
        if found:
            lines.extend(_lines_of(family, found, is_open=is_open))
    if is_open:
        lines.append("# EOF")
    text = "\n".join(lines) + "\n"
    return text.encode(), OPENMETRICS if is_open else TEXT


def _takes_openmetrics(accept: str) -> bool:
    wanted = OPENMETRICS.partition(";")[0]
    kinds = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    return wanted in kinds


def _lines_of(family: Family, samples: Sequence[Sample], *, is_open: bool) -> Iterator[str]:
    name = family.name
    # OpenMetrics calls a counter by its name without the end of its samples
    named = name.removesuffix("_total") if is_open and family.kind == COUNTER else name
    yield f"# HELP {named} {family.text}"
    yield f"# TYPE {named} {family.kind}"
    for values, amount in samples:
        pairs = [
            f'{label}="{_escaped(value)}"'
            for label, value in zip(family.labels, values, strict=True)
        ]
        if isinstance(amount, Tallied):
            yield _line(f"{name}_count", pairs, amount.count)
            yield _line(f"{name}_sum", pairs, amount.total)
        elif isinstance(amount, Spread):
            for bound, count in amount.buckets:
                le = "+Inf" if bound == float("inf") else repr(float(bound))
                yield _line(f"{name}_bucket", [*pairs, f'le="{le}"'], count)
            yield _line(f"{name}_count", pairs, amount.buckets[-1][1])
            yield _line(f"{name}_sum", pairs, amount.total)
        else:
            yield _line(name, pairs, amount)


def _escaped(value: str) -> str:
    """Return the value of a label; what is no Unicode is written out before it is escaped."""
    return value.encode("utf-8", "backslashreplace").decode().translate(_ESCAPED)


def _line(name: str, pairs: Sequence[str], value: float) -> str:
    labels = f"{{{','.join(pairs)}}}" if pairs else ""
    return f"{name}{labels} {float(value)!r}"
