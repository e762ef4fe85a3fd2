"""Selectors: short texts that name hosts of a scenario.

Parts are joined by commas; what is named twice counts once:

=====================  ======================================================
``n003``               that host
``n000-n009``          a range, both ends included
``all``                every host
``rest``               every host that nothing before in the same list took
``rack``               a group that the scenario defines under ``[groups]``
``random:5``           five hosts by chance
``10%``                that share of all hosts by chance, at least one
``random:2 of rack``   by chance, but of these only
=====================  ======================================================

A selector is resolved while a run is built, with the seed of the run; what
comes out is a tuple of names in the order of the hosts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from random import Random

from gossipd_sim.errors import ScenarioError

HOSTS_MAX = 100_000
"""A scenario has no more hosts than this."""


def host_name(index: int) -> str:
    """Return the name of the host with that ``index``, counted from 0."""
    return f"n{index:03d}"


def host_names(count: int) -> tuple[str, ...]:
    """Return the names of ``count`` hosts, in order."""
    return tuple(host_name(index) for index in range(count))


def join_names(names: Iterable[str]) -> str:
    """Return names as one selector that needs no resolving; neighbours become ranges."""
    runs: list[list[str]] = []
    for name in names:
        if runs and _index(name) == _index(runs[-1][-1]) + 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(run) for run in runs)


def plain_names(selector: str) -> tuple[str, ...]:
    """Return the hosts of a selector made of names and ranges only.

    Raises:
        ScenarioError: some part of it is of another form.
    """
    names: list[str] = []
    for part in _parts(selector):
        found = _written_out(part)
        if found is None:
            raise ScenarioError(f"{part!r} names no hosts by itself: write n003 or n000-n009")
        names.extend(found)
    return tuple(names)


def named_hosts(selector: str) -> tuple[str, ...]:
    """Return the hosts that ``selector`` names outright, leaving out groups and chance."""
    names: list[str] = []
    for part in _parts(selector):
        names.extend(_written_out(part) or ())
    return tuple(names)


class Selection:
    """Resolves the selectors of one run.

    Args:
        names: every host of the scenario, in order.
        groups: what the scenario's group names stand for.
        random: decides what is left to chance.
    """

    def __init__(
        self, names: Sequence[str], groups: Mapping[str, Sequence[str]], random: Random
    ) -> None:
        self._names = tuple(names)
        self._known = frozenset(names)
        self._groups = {group: tuple(members) for group, members in groups.items()}
        self._random = random

    def pick(
        self,
        selector: str,
        *,
        possible: Collection[str] | None = None,
        spare: Collection[str] = (),
        beside: Collection[str] = (),
        why: str = "",
    ) -> tuple[str, ...]:
        """Return the hosts of ``selector`` in the order of the scenario.

        Args:
            possible: who can be chosen at all; ``None`` is everybody. Hosts
                named outright must be among them, ``all`` and ``rest`` keep to them.
            spare: hosts that chance leaves alone, because others name them.
            beside: hosts that chance and ``rest`` leave out, and that may still be named.
            why: what ``possible`` means, for the message: ``up``, ``down``.

        Raises:
            ScenarioError: an unknown host, group or form; a named host that is
                not possible; or fewer hosts than asked for.
        """
        allowed = self._known if possible is None else frozenset(possible)
        chosen: dict[str, None] = {}
        avoided = frozenset(spare) | frozenset(beside)
        for part in _parts(selector):
            for name in self._resolve(part, allowed, avoided, chosen, why):
                chosen[name] = None
        return tuple(name for name in self._names if name in chosen)

    def divide(self, selectors: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Resolve ``selectors`` so that no host is in two of them.

        Raises:
            ScenarioError: two of them name the same host, or one stays empty.
        """
        parts: list[tuple[str, ...]] = []
        named = [name for selector in selectors for name in self._outright(selector)]
        for selector in selectors:
            taken = [name for part in parts for name in part]
            mine = self._outright(selector)
            for name in mine:
                if name in taken:
                    raise ScenarioError(f"{name} is in two parts")
            free = [name for name in self._names if name not in taken]
            part = self.pick(
                selector, possible=free, spare=[name for name in named if name not in mine]
            )
            if not part:
                raise ScenarioError(f"{selector!r} is empty: the other parts took every host")
            parts.append(part)
        return tuple(parts)

    def _outright(self, selector: str) -> tuple[str, ...]:
        """Return the hosts that ``selector`` names without chance, groups included."""
        names: list[str] = []
        for part in _parts(selector):
            names.extend(_written_out(part) or self._groups.get(part, ()))
        return tuple(names)

    def _resolve(
        self,
        part: str,
        allowed: frozenset[str],
        spare: frozenset[str],
        taken: Collection[str],
        why: str,
    ) -> Sequence[str]:
        if part in ("all", "rest"):
            kept = [name for name in self._names if name in allowed]
            if part == "rest":
                return [name for name in kept if name not in taken and name not in spare]
            return kept
        amount, of, scope = part.partition(" of ")
        count = self._count(amount.strip())
        if count is None:
            return self._sure(part, allowed, why)
        among = self._scope(scope.strip()) if of else self._names
        free = [
            name for name in among if name in allowed and name not in taken and name not in spare
        ]
        if count > len(free):
            which = f" that are {why}" if why else ""
            raise ScenarioError(f"{part!r} asks for {count} hosts{which}; there are {len(free)}")
        return self._random.sample(free, count)

    def _count(self, amount: str) -> int | None:
        """Return how many hosts are left to chance, or ``None`` if ``amount`` names them."""
        if amount.startswith("random:"):
            digits = amount.removeprefix("random:").strip()
            if not (digits.isascii() and digits.isdigit()) or int(digits[:9]) < 1:
                raise ScenarioError(f"{amount!r} is no number of hosts: write random:5")
            return min(int(digits[:9]), HOSTS_MAX)
        if amount.endswith("%"):
            try:
                share = float(amount[:-1])
            except ValueError:
                share = -1.0
            if not 0 < share <= 100:
                raise ScenarioError(f"{amount!r} is no share within 0%..100%")
            return max(1, round(len(self._names) * share / 100))
        return None

    def _scope(self, selector: str) -> tuple[str, ...]:
        return tuple(name for part in _parts(selector) for name in self._sure(part, None, ""))

    def _sure(self, part: str, allowed: frozenset[str] | None, why: str) -> Sequence[str]:
        """Return hosts that are named, refusing those that are unknown or not ``allowed``."""
        if part == "all":
            return self._names
        names = _written_out(part)
        if names is None:
            names = self._groups.get(part)
        if names is None:
            raise ScenarioError(
                f"{part!r} is neither a host, a range, a group, random:N nor a share such as 10%"
            )
        for name in names:
            if name not in self._known:
                raise ScenarioError(
                    f"there is no host {name}: they are {self._names[0]} to {self._names[-1]}"
                )
            if allowed is not None and name not in allowed:
                raise ScenarioError(f"{name} is not {why or 'free'}")
        return names


def _parts(selector: str) -> list[str]:
    parts = [part.strip() for part in selector.split(",")]
    if not all(parts):
        raise ScenarioError(f"{selector!r} names no host: write n003, n000-n009, random:5 or 10%")
    return parts


def _index(name: str) -> int:
    """Return the index in a host's name, or -1."""
    digits = name[1:]
    good = name[:1] == "n" and 3 <= len(digits) <= 6 and digits.isascii() and digits.isdigit()
    return int(digits) if good and name == host_name(int(digits)) else -1


def _written_out(part: str) -> tuple[str, ...] | None:
    """Return the hosts of one name or range; ``None`` for any other form."""
    first, dash, last = part.partition("-")
    low, high = _index(first.strip()), _index(last.strip() if dash else first)
    if low < 0 or high < 0:
        return None
    if high < low:
        raise ScenarioError(f"{part!r} runs backwards")
    if high >= HOSTS_MAX:
        raise ScenarioError(f"{part!r}: a scenario has at most {HOSTS_MAX} hosts")
    return tuple(host_name(index) for index in range(low, high + 1))
