"""``LawBook``: the laws of all links of a scenario while no fault touches them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from gossipd.value import Value, replace
from gossipd_sim.laws import Laws
from gossipd_sim.network import Network


class LawBook(Value):
    """``usual`` laws, and exceptions: (sources, targets, laws), of which the last that fits counts.

    Changes are made to whole groups of links, so that a thousand hosts cost no
    more than there are exceptions.
    """

    usual: Laws = Laws()
    exceptions: tuple[tuple[frozenset[str], frozenset[str], Laws], ...] = ()

    def install(self, network: Network) -> None:
        """Set the exceptions; the usual laws are the default of ``network`` already."""
        for sources, targets, laws in self.exceptions:
            network.set_laws(sources, targets, laws)

    def between(self, source: str, target: str) -> Laws:
        """Return the laws of one link."""
        for sources, targets, laws in reversed(self.exceptions):
            if source in sources and target in targets:
                return laws
        return self.usual

    def change(
        self,
        network: Network,
        sources: Collection[str],
        targets: Collection[str],
        changes: Mapping[str, object],
    ) -> None:
        """Set the laws of some links to the usual ones with ``changes``; none restores them."""
        for some, others, laws in self._parts(sources, targets):
            network.set_laws(some, others, replace(laws, **changes))

    def _parts(
        self, sources: Collection[str], targets: Collection[str]
    ) -> Iterator[tuple[frozenset[str], frozenset[str], Laws]]:
        all_sources, all_targets = frozenset(sources), frozenset(targets)
        yield all_sources, all_targets, self.usual
        for some, others, laws in self.exceptions:
            if (some & all_sources) and (others & all_targets):
                yield some & all_sources, others & all_targets, laws
