"""The mark of a service that belongs to a node without an agent.

Written by ``PUT /v1/catalog/register`` alone (``rest/consul/external.py``), read by HTTP
and DNS. Whoever else registers a service is refused it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

EXTERNAL_NODE = "external-node"
"""Key of the meta of a service whose node has no agent; its value is the node's name."""
NODE_META = "external-node:"
"""With this begin the keys of what is the meta of the node."""


def refusal_of(meta: Mapping[str, str]) -> str:
    """Return why a provider's service cannot have this meta; empty if it can."""
    for key in meta:
        if key == EXTERNAL_NODE or key.startswith(NODE_META):
            return (
                f"meta.{key}: it marks nodes without an agent; those are written with "
                "PUT /v1/catalog/register"
            )
    return ""


def claimed_node(service_id: str, meta: Mapping[str, str]) -> str:
    """Return the node without an agent that a service says it belongs to; empty if it says none.

    Any peer can write that: a member of that name speaks for itself.
    """
    node = meta.get(EXTERNAL_NODE)
    if not node or not service_id.startswith(f"{node}/") or len(service_id) == len(node) + 1:
        return ""
    return node
