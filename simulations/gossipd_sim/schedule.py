"""``Schedule``: one run of a scenario, with every choice made.

Groups, selectors and workloads are resolved by the chance of the run; what
follows in time is the work of ``timeline.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from gossipd.config.model import PROFILES, CatalogConfig, NodeConfig, SerfConfig, check_node_config
from gossipd.errors import ConfigError
from gossipd.value import Value, replace
from gossipd_sim.errors import ScenarioError, refusals_of
from gossipd_sim.faults import Fault, HostFault, Start
from gossipd_sim.law_book import LawBook
from gossipd_sim.laws import Laws
from gossipd_sim.script import AT_ONCE, FORMED, STAGGERED, Scenario, Special
from gossipd_sim.selectors import Selection, host_names, named_hosts
from gossipd_sim.timeline import FAULTS_MAX, Timeline
from gossipd_sim.workload import Churn


class Schedule(Value, kw_only=True):
    """What happens in one run.

    ``configs``: by host. ``boots``: first starts. ``faults``: plain ones, of one
    moment each, hosts named outright. Both in order of time.
    """

    names: tuple[str, ...]
    configs: Mapping[str, NodeConfig]
    boots: tuple[Start, ...]
    faults: tuple[Fault, ...]
    law_book: LawBook


def make_schedule(scenario: Scenario, random: Random) -> Schedule:
    """Return one run of ``scenario``, as ``random`` decides.

    Raises:
        ScenarioError: something in it is impossible; the message names the key.
    """
    names = host_names(scenario.nodes)
    if not names:
        raise ScenarioError("nodes: a scenario has at least one host")
    spare = _spoken_for(scenario)
    selection = Selection(names, _groups(scenario, names, spare, random), random)
    configs = _configs(scenario, names, selection)
    law_book = LawBook(scenario.laws, _exceptions(scenario, selection))
    boots = _boots(scenario, names, selection, random)
    timeline = Timeline(names, selection, spare, scenario.calm_from, scenario.keys)
    for boot in boots:
        timeline.boot(boot)
    for index, fault in enumerate(scenario.faults):
        timeline.add(fault, f"faults[{index}]")
    for index, churn in enumerate(scenario.churn):
        with refusals_of(f"churn[{index}]"):
            _check_churn(churn, scenario, selection)
        for departure in churn.faults(random):
            timeline.add(departure, f"churn[{index}]", is_needed=False)
    return Schedule(
        names=names, configs=configs, boots=boots, faults=timeline.run(), law_book=law_book
    )


def _spoken_for(scenario: Scenario) -> tuple[str, ...]:
    """Return the hosts whose life some fault changes by name: chance leaves them alone."""
    named: dict[str, None] = {}
    for index, fault in enumerate(scenario.faults):
        if isinstance(fault, HostFault) and fault.makes:
            with refusals_of(f"faults[{index}].hosts"):
                named.update(dict.fromkeys(named_hosts(fault.hosts)))
    with refusals_of("late"):
        named.update(dict.fromkeys(named_hosts(scenario.late) if scenario.late else ()))
    return tuple(named)


def _groups(
    scenario: Scenario, names: Sequence[str], spare: Sequence[str], random: Random
) -> dict[str, tuple[str, ...]]:
    """Resolve the groups in their order; chance takes no host that another group has or names."""
    chooser = Selection(names, {}, random)
    named: list[str] = []
    for group, selector in scenario.groups.items():
        with refusals_of(f"groups.{group}"):
            named.extend(named_hosts(selector))
    groups: dict[str, tuple[str, ...]] = {}
    for group, selector in scenario.groups.items():
        with refusals_of(f"groups.{group}"):
            taken = [name for members in groups.values() for name in members]
            groups[group] = chooser.pick(selector, spare=[*taken, *named, *spare])
    return groups


def _configs(
    scenario: Scenario, names: Sequence[str], selection: Selection
) -> dict[str, NodeConfig]:
    def config(name: str, profile: str, *layers: Mapping[str, Mapping[str, object]]) -> NodeConfig:
        swim, wire = PROFILES[profile]
        serf = SerfConfig(coordinates=False, resolve_name_conflicts=False)
        catalog = CatalogConfig(enabled=scenario.has_services)
        for layer in layers:
            swim = replace(swim, **layer["swim"])
            serf = replace(serf, **layer["serf"])
            wire = replace(wire, **layer["wire"])
            catalog = replace(catalog, **layer["catalog"])
        keys = scenario.keys
        return NodeConfig(name=name, keys=keys, swim=swim, serf=serf, wire=wire, catalog=catalog)

    common = _sections_of(scenario)
    configs = {name: config(name, scenario.profile, common) for name in names}
    _check(configs[names[0]], "")
    for index, special in enumerate(scenario.special):
        with refusals_of(f"special[{index}].hosts"):
            chosen = selection.pick(special.hosts)
        own = _sections_of(special)
        for name in chosen:
            made = config(name, special.profile or scenario.profile, common, own)
            configs[name] = replace(made, tags=special.tags)
        _check(configs[chosen[0]], f"special[{index}]")
    return configs


def _sections_of(layer: Scenario | Special) -> dict[str, Mapping[str, object]]:
    return {name: getattr(layer, name) for name in ("swim", "serf", "wire", "catalog")}


def _check(config: NodeConfig, key: str) -> None:
    try:
        check_node_config(config)
    except ConfigError as error:
        raise ScenarioError(f"{key}: {error}" if key else str(error)) from error


def _check_churn(churn: Churn, scenario: Scenario, selection: Selection) -> None:
    end = churn.at + churn.lasts
    if end > scenario.calm_from:
        raise ScenarioError(
            f"lasts: it would go on until {end:g} s, and faults end at {scenario.calm_from:g} s"
            " (horizon less settle)"
        )
    if churn.lasts / churn.every > FAULTS_MAX:
        raise ScenarioError(f"every: {churn.every:g} s make more than {FAULTS_MAX} faults")
    with refusals_of("hosts"):
        if "," in churn.hosts:
            raise ScenarioError(f"{churn.hosts!r}: put several into a group and name that")
        selection.pick(f"random:1 of {churn.hosts}")


def _exceptions(
    scenario: Scenario, selection: Selection
) -> tuple[tuple[frozenset[str], frozenset[str], Laws], ...]:
    exceptions: list[tuple[frozenset[str], frozenset[str], Laws]] = []
    for index, rule in enumerate(scenario.links):
        with refusals_of(f"links[{index}].sources"):
            sources = selection.pick(rule.sources)
        with refusals_of(f"links[{index}].targets"):
            targets = selection.pick(rule.targets, beside=sources)
        laws = replace(scenario.laws, **rule.laws)
        exceptions.append((frozenset(sources), frozenset(targets), laws))
        if rule.both:
            exceptions.append((frozenset(targets), frozenset(sources), laws))
    return tuple(exceptions)


def _boots(
    scenario: Scenario, names: Sequence[str], selection: Selection, random: Random
) -> tuple[Start, ...]:
    """Return the first starts of all hosts that are not late, in order of time."""
    late: Sequence[str] = ()
    if scenario.late:
        with refusals_of("late"):
            late = selection.pick(scenario.late)
    first = [name for name in names if name not in late]
    if not first:
        raise ScenarioError("late: every host is late; one at least has to be there from the start")
    how = scenario.bootstrap
    boots: list[Start] = []
    for index, name in enumerate(first):
        if how.kind in (AT_ONCE, FORMED):
            at = 0.0
        elif how.kind == STAGGERED:
            at = how.over * index / len(first)
        else:
            at = random.uniform(0.0, how.over) if index else 0.0
        others = [seed for seed in first[: how.seeds + 1] if seed != name][: how.seeds]
        joins = how.kind != FORMED and (index > 0 or how.kind == AT_ONCE)
        boots.append(Start(at=round(at, 6), hosts=name, to=",".join(others) if joins else ""))
    return tuple(sorted(boots, key=lambda boot: boot.at))
