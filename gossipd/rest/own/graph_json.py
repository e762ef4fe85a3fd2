"""The graph of services and the impact of a loss as JSON, the same for HTTP and the CLI (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from gossipd.catalog.graph import Impact, missing, needed_by, needs_of
from gossipd.services.instance import ServiceSummary


def graph_json(summaries: Sequence[ServiceSummary]) -> dict[str, object]:
    """Return what needs what, and what is needed though nothing of it passes."""
    by_name = {summary.name: summary for summary in summaries}
    needs = needs_of(summaries)
    turned = needed_by(needs)
    services = []
    for name in needs:
        summary = by_name.get(name)
        services.append(
            {
                "name": name,
                "registered": summary is not None,
                "passing": summary.passing if summary else 0,
                "total": summary.total if summary else 0,
                "needs": list(needs[name]),
                "needed_by": list(turned[name]),
            }
        )
    return {"services": services, "missing": list(missing(needs, summaries))}


def impact_json(impact: Impact) -> dict[str, object]:
    """Return who loses what."""
    losses = [
        {
            "service": loss.service,
            "lost": [
                {"node": one.owner, "id": one.service.id, "status": one.status} for one in loss.lost
            ],
            "left_passing": loss.left,
            "empty": loss.is_empty,
            "needed_by": list(loss.needed_by),
        }
        for loss in impact.losses
    ]
    return {"losses": losses, "broken": list(impact.broken)}
