"""How many services there are, as metrics and ``gossipd info`` show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gossipd.services.instance import ServiceSummary
    from gossipd.services.own import OwnServices


class CountedNode(Protocol):
    """What is counted; kept by ``gossipd.node.node.Node``."""

    def services(self) -> tuple[ServiceSummary, ...]: ...
    def own_services(self) -> OwnServices: ...
    def service_levels(self) -> Mapping[str, int]: ...


def service_levels(node: CountedNode, checks: int) -> Mapping[str, float]:
    """Return levels by name.

    Args:
        node: whose catalog is looked at.
        checks: how many are run by the daemon.
    """
    found = node.services()
    held = node.service_levels()
    return {
        **{key.replace("-", "_"): level for key, level in held.items()},
        "services": len(found),
        "services_guarded": sum(one.is_guarded for one in found),
        "instances_passing": sum(one.passing for one in found),
        "instances_warning": sum(one.warning for one in found),
        "instances_critical": sum(one.critical for one in found),
        "instances_doubtful": sum(one.doubtful for one in found),
        "own_services": len(node.own_services().services),
        "own_checks_run": checks,
    }
