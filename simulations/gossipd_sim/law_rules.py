"""``LawRules``: which laws hold between two hosts, of all that were set for groups of them.

The last rule that fits counts. Hosts that are in the same groups share one
answer, so that a thousand hosts in three zones cost nine entries and not a
million.
"""

from __future__ import annotations

from gossipd_sim.laws import Laws


class LawRules:
    """Rules for links, by the names of their ends.

    Args:
        default: where no rule fits.
    """

    def __init__(self, default: Laws) -> None:
        self._default = default
        self._rules: list[tuple[frozenset[str], frozenset[str], Laws]] = []
        self._as_source: dict[str, int] = {}
        self._as_target: dict[str, int] = {}
        """By name, one bit for each rule that has it among its sources, or targets."""
        self._found: dict[tuple[int, int], Laws] = {}

    def add(self, sources: frozenset[str], targets: frozenset[str], laws: Laws) -> None:
        """Let ``laws`` hold for all links from ``sources`` to ``targets`` from now on."""
        # what the new rule covers can never count again
        self._rules = [
            rule for rule in self._rules if not (rule[0] <= sources and rule[1] <= targets)
        ]
        if self._rules or laws != self._default:
            self._rules.append((sources, targets, laws))
        self._as_source.clear()
        self._as_target.clear()
        self._found.clear()

    @property
    def are_set(self) -> bool:
        """Whether any link has laws of its own."""
        return bool(self._rules)

    def find(self, source: str, target: str) -> Laws:
        """Return the laws from one host to another."""
        if not self._rules:
            return self._default
        try:
            return self._found[self._as_source[source], self._as_target[target]]
        except KeyError:
            return self._find_anew(source, target)

    def _find_anew(self, source: str, target: str) -> Laws:
        ours = theirs = 0
        for number, (sources, targets, _) in enumerate(self._rules):
            ours |= (source in sources) << number
            theirs |= (target in targets) << number
        self._as_source[source], self._as_target[target] = ours, theirs
        both = ours & theirs
        laws = self._rules[both.bit_length() - 1][2] if both else self._default
        self._found[ours, theirs] = laws
        return laws
