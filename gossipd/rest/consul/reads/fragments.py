"""``Fragments``: objects of instances as text, so that a change of one does not write them all.

A service of a thousand instances is a megabyte of JSON, which takes seventy milliseconds to
write. Who waits for it is answered after each change of one of them, and that must not hold
the daemon up. What is not there yet is written in portions (``Listing.ahead``), between which
others have their turn; the answer is then put together at once, and whatever has changed
meanwhile is written again: so it shows one state, that of its index.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import trio

from gossipd.node.view import Suspicion, View
from gossipd.rest.consul.filtering.language import Filter, Test
from gossipd.rest.consul.shapes import Json, Shapes
from gossipd.serf.events import SerfMember
from gossipd.services.instance import Instance

CHARACTERS_MAX = 8 * 2**20
"""Of all fragments; when there are more, all are forgotten."""
PORTION = 16_384
"""Characters that are written between two turns of others: a millisecond or so."""
PASSED_OVER = 256
"""As so many characters counts what a filter leaves away: it was made, but not written."""
PASSES_MAX = 4
"""So often what changed meanwhile is written in portions; then it is written at once."""
Shape = Callable[[Instance], Json | list[Json]]
"""Makes of an instance one object, or any number."""


class Fragments:
    """Texts by shape and instance.

    Args:
        shapes: makes the objects that they are the text of.
        view: returns the members as they are.
    """

    def __init__(self, shapes: Shapes, view: Callable[[], View]) -> None:
        self.shapes = shapes
        self._view = view
        self._viewed: View | None = None
        self.views = 0
        """How many views there were; a number, for whoever keeps a view keeps all members."""
        self._kept: dict[str, dict[tuple[str, str], Fragment]] = {}
        self._characters = 0
        self.made = 0
        """How many were written."""

    def view(self) -> View:
        """Return the members as they are; ``views`` tells whether that is another picture."""
        view = self._view()
        if view is not self._viewed:
            self._viewed = view
            self.views += 1
        return view

    def of(self, shape: Shape) -> dict[tuple[str, str], Fragment]:
        """Return what is kept of a shape, by instance; only ``keep`` adds to it."""
        return self._kept.setdefault(shape.__name__, {})

    def keep(self, shape: Shape, key: tuple[str, str], made: Fragment) -> None:
        """Remember what was written of an instance."""
        old = self.of(shape).get(key)
        self._characters += len(made.text) - (0 if old is None else len(old.text))
        if self._characters > CHARACTERS_MAX:
            for kept in self._kept.values():
                kept.clear()
            self._characters = len(made.text)
        self.of(shape)[key] = made

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))


class Listing:
    """One answer that lists what is shown of instances.

    Args:
        fragments: what was written for others.
        shape: makes the objects.
        chosen_by: which of them are listed.
        instances: returns what the list is of, in its order, as it is now.
    """

    __slots__ = ("_chosen_by", "_fragments", "_here", "_instances", "_shape", "_test", "_texts")

    def __init__(
        self,
        fragments: Fragments,
        shape: Shape,
        chosen_by: Filter,
        instances: Callable[[], list[Instance]],
    ) -> None:
        self._fragments = fragments
        self._shape = shape
        self._chosen_by = chosen_by
        self._instances = instances
        self._here: dict[tuple[str, str], Fragment] = {}
        """Of this answer alone: those of a filter, and whatever is forgotten meanwhile."""
        self._texts: list[str] | None = None
        self._test: Test | None = None

    async def ahead(self) -> None:
        """Write what is missing, a portion at a time; ``now`` is to follow at once."""
        for _ in range(PASSES_MAX):
            self._texts = await self._write_portions()
            if self._texts is not None:
                return

    def now(self) -> bytes:
        """Return the list as JSON, as things are now."""
        view, texts = self._fragments.view(), self._texts
        if texts is None:
            texts = [self._fragment(instance, view).text for instance in self._instances()]
        return f"[{','.join(filter(None, texts))}]".encode("utf-8", "replace")

    async def _write_portions(self) -> list[str] | None:
        """Return all texts; ``None`` if others had a turn meanwhile, and so may have made changes
        to what is written already."""
        fragments, texts, written = self._fragments, [], 0
        view, made, gave_way = fragments.view(), fragments.made, False
        for instance in self._instances():
            text = self._fragment(instance, view).text
            texts.append(text)
            if fragments.made == made:
                continue
            made = fragments.made
            written += len(text) or PASSED_OVER
            if written >= PORTION:
                written, gave_way = 0, True
                await trio.lowlevel.checkpoint()
                view, made = fragments.view(), fragments.made
        return None if gave_way else texts

    def _fragment(self, instance: Instance, view: View) -> Fragment:
        """Return what is written of ``instance``, anew if anything that it shows has changed."""
        key, fragments = instance.key, self._fragments
        kept = self._here.get(key)
        if kept is None and self._chosen_by.chooses_all:
            kept = fragments.of(self._shape).get(key)
        if kept is not None and kept.instance is instance and self._is_true(kept, view):
            return kept
        made = self._write(instance, view)
        self._here[key] = made
        if self._chosen_by.chooses_all:
            fragments.keep(self._shape, key, made)
        return made

    def _is_true(self, kept: Fragment, view: View) -> bool:
        shapes, owner = self._fragments.shapes, kept.instance.owner
        if kept.checked != self._fragments.views:
            if kept.member is not shapes.member(owner):
                return False
            if kept.suspicion is not view.suspicions.get(owner):
                return False
            kept.checked = self._fragments.views
        # what is empty stays so: whose an instance is says the instance
        return not kept.beside or kept.beside == shapes.beside(kept.instance)

    def _write(self, instance: Instance, view: View) -> Fragment:
        fragments, owner = self._fragments, instance.owner
        fragments.made += 1
        beside = fragments.shapes.beside(instance)
        member, suspicion = fragments.shapes.member(owner), view.suspicions.get(owner)
        shown = self._shape(instance)
        items = shown if isinstance(shown, list) else [shown]
        text = ",".join(
            json.dumps(item, separators=(",", ":"), ensure_ascii=False)
            for item in items
            if self._is_chosen(item)
        )
        return Fragment(instance, fragments.views, member, suspicion, beside, text)

    def _is_chosen(self, item: Json) -> bool:
        if self._chosen_by.chooses_all:
            return True
        if self._test is None:
            self._test = self._chosen_by.test()
        return self._test(item)


class Fragment:
    """One text, and what it was made from; empty if there is nothing or a filter leaves it away.

    ``checked`` is the number of the view for which it was last found true.
    """

    __slots__ = ("beside", "checked", "instance", "member", "suspicion", "text")

    def __init__(
        self,
        instance: Instance,
        checked: int,
        member: SerfMember | None,
        suspicion: Suspicion | None,
        beside: tuple[object, ...],
        text: str,
    ) -> None:
        self.instance = instance
        self.checked = checked
        self.member = member
        self.suspicion = suspicion
        self.beside = beside
        self.text = text
