"""``Fragments``: entries of instances as text, so that a change of one does not write them all.

A service of a thousand instances is a megabyte of JSON. Who waits for it is answered
after each change of one of them, and that must not hold the daemon up.
"""

from __future__ import annotations

import json

from gossipd.node.view import Suspicion, View
from gossipd.rest.consul.external import claimed_node
from gossipd.rest.consul.shapes import Shapes
from gossipd.serf.events import SerfMember
from gossipd.services.instance import Instance

CHARACTERS_MAX = 8 * 2**20
"""Of all fragments; when there are more, all are forgotten."""


class Fragments:
    """Texts by instance.

    Args:
        shapes: makes the objects that they are the text of.
    """

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._kept: dict[tuple[str, str], _Fragment] = {}
        self._characters = 0
        self.made = 0
        """How many were written."""

    def entries(self, instances: list[Instance], view: View) -> bytes:
        """Return the ServiceEntries of ``instances`` as a JSON list."""
        entry = self._entry
        return f"[{','.join([entry(one, view) for one in instances])}]".encode("utf-8", "replace")

    def _entry(self, instance: Instance, view: View) -> str:
        owner = instance.owner
        if owner == view.name or claimed_node(instance.service) is not None:
            return self._text(instance)  # made from more than is compared here
        key = instance.key
        kept = self._kept.get(key)
        if kept is not None and kept.instance is instance:
            if kept.view is view:
                return kept.text
            if kept.member is self._shapes.member(owner) and kept.suspicion is view.suspicions.get(
                owner
            ):
                kept.view = view
                return kept.text
        member, suspicion = self._shapes.member(owner), view.suspicions.get(owner)
        made = _Fragment(instance, view, member, suspicion, self._text(instance))
        self._characters += len(made.text) - (0 if kept is None else len(kept.text))
        if self._characters > CHARACTERS_MAX:
            self._kept.clear()
            self._characters = len(made.text)
        self._kept[key] = made
        return made.text

    def _text(self, instance: Instance) -> str:
        self.made += 1
        return json.dumps(self._shapes.entry(instance), separators=(",", ":"), ensure_ascii=False)


class _Fragment:
    """One text, and what it was made from."""

    __slots__ = ("instance", "member", "suspicion", "text", "view")

    def __init__(
        self,
        instance: Instance,
        view: View,
        member: SerfMember | None,
        suspicion: Suspicion | None,
        text: str,
    ) -> None:
        self.instance = instance
        self.view = view
        self.member = member
        self.suspicion = suspicion
        self.text = text
