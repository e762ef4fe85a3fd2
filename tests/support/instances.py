"""Instances of a service as a watch tells of them, made by hand."""

from __future__ import annotations

from typing import Any

from gossipd.services.definition import PASSING, Service
from gossipd.services.instance import Instance, ServiceChange, ServiceReset, ServiceView
from gossipd.value import replace


def instance(owner: str, **fields: Any) -> Instance:
    """Return an instance of ``web`` on ``owner``; ``port`` and fields of ``Instance``."""
    port = fields.pop("port", 80)
    weight = fields.get("weight", 1)
    service = Service(id="web", name="web", port=port, weight=max(weight, 1))
    address = fields.pop("owner_address", "127.0.0.1")
    fields.setdefault("status", PASSING)
    return Instance(owner=owner, owner_address=address, service=service, **fields)


def reset(*instances: Instance, index: int = 1, is_guarded: bool = False) -> ServiceReset:
    """Return the first record of a watch."""
    view = ServiceView(name="web", index=index, instances=instances, is_guarded=is_guarded)
    return ServiceReset(view=view)


def change(kind: str, changed: Instance, index: int = 2, **fields: Any) -> ServiceChange:
    """Return a later record of a watch, with some fields of the instance changed."""
    return ServiceChange(index=index, kind=kind, instance=replace(changed, **fields))
