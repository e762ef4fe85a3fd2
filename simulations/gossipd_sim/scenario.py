"""Scenarios from text: TOML in, a checked ``Scenario`` or one line of refusal out.

What the keys mean stands at the values: ``script.py``, ``faults.py`` and its
kin, ``workload.py``, ``laws.py``. The library lies beside, in ``scenarios/``,
foldered by cost.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from random import Random

from gossipd.config.model import PROFILES, CatalogConfig, SerfConfig, SwimConfig, WireConfig
from gossipd.config.values import (
    count_from,
    key_from,
    switch_from,
    tags_from,
    text_from,
)
from gossipd.errors import ConfigError, UsageError
from gossipd.serf.filters import Audience
from gossipd.serf.queries import INTERNAL_PREFIX
from gossipd.serf.tags import encode_own_tags
from gossipd.services.definition import STATUSES
from gossipd.value import Value, fields_of, is_required
from gossipd.wire.meta_tail import meta_tail
from gossipd_sim.anomaly_faults import FAULTS_OF_ANOMALIES
from gossipd_sim.application_faults import FAULTS_OF_APPLICATIONS, Ask, SendEvent
from gossipd_sim.checkers.choice import NAMES, NONE
from gossipd_sim.errors import ScenarioError
from gossipd_sim.faults import FAULTS_OF_HOSTS, Fault, HostFault
from gossipd_sim.hostile import KINDS, PACKETS_MAX, HostilePackets
from gossipd_sim.identity_faults import FAULTS_OF_IDENTITY
from gossipd_sim.key_faults import FAULTS_OF_KEYS
from gossipd_sim.laws import Laws, check_laws
from gossipd_sim.link_faults import FAULTS_OF_LINKS
from gossipd_sim.schedule import make_schedule
from gossipd_sim.script import BOOTSTRAPS, Bootstrap, LinkRule, Scenario, Special
from gossipd_sim.selectors import HOSTS_MAX
from gossipd_sim.service_faults import FAULTS_OF_SERVICES, ServiceFault
from gossipd_sim.tables import (
    TableReader,
    duration_from,
    nearest,
    share_from,
    sigma_from,
    texts_from,
    typed_fields,
    words_from,
)
from gossipd_sim.workload import Churn

__all__ = ["COSTS", "FAULTS", "Scenario", "ScenarioError", "library", "read_scenario"]

EVENT_NAME_BYTES_MAX = 64
"""Of the name of an event or a query: well below what a message holds."""
COSTS = ("fast", "slow", "rare")
"""Folders of the library: a few seconds, up to a minute, or longer for one run."""

_KINDS: tuple[type[Fault], ...] = (
    *FAULTS_OF_HOSTS,
    *FAULTS_OF_ANOMALIES,
    *FAULTS_OF_IDENTITY,
    *FAULTS_OF_KEYS,
    *FAULTS_OF_LINKS,
    *FAULTS_OF_APPLICATIONS,
    *FAULTS_OF_SERVICES,
    HostilePackets,
)
FAULTS = {kind.do: kind for kind in _KINDS}
"""Faults by the word for them in a file."""

INTERVAL_MIN = 1e-6
"""Seconds between two ticks of a node: with less, the virtual clock would hardly move."""

INSTANCES_MAX = 2048
"""Of one service at one host."""
_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,40}")
_GROUP = re.compile(r"[a-z][a-z0-9_-]*")
_NOT_A_GROUP = re.compile(r"n\d+|all|rest")


def read_scenario(text: str, file: str, *, is_tried: bool = True) -> Scenario:
    """Return the scenario that ``text`` (TOML) describes, named after ``file``.

    Args:
        is_tried: make its schedule once with chance of its own, so that what can
            never happen is refused here; for ten thousand hosts that takes seconds.

    Raises:
        ScenarioError: one line that names ``file`` and the key, or the line where
            it is not TOML.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        raise ScenarioError(f"{file}: {error}") from error
    try:
        stem = re.split(r"[/\\]", file)[-1].removesuffix(".toml")
        name = "".join(letter if letter.isprintable() else "?" for letter in stem)
        scenario = _scenario(TableReader(table), name)
        if is_tried:
            make_schedule(scenario, Random(0))
    except ConfigError as error:
        raise ScenarioError(f"{file}: {error}") from error
    return scenario


def library() -> dict[str, Traversable]:
    """Return the packaged scenarios by name, the cheap ones first."""
    root = files("gossipd_sim").joinpath("scenarios")
    return {
        entry.name.removesuffix(".toml"): entry
        for cost in COSTS
        for entry in sorted(root.joinpath(cost).iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }


def _scenario(top: TableReader, name: str) -> Scenario:
    laws = _laws(top.table("network"))
    scenario = Scenario(
        name=top.take("name", _name_from, name),
        description=top.take("description", text_from, ""),
        nodes=top.need("nodes", _nodes_from),
        horizon=top.need("horizon", duration_from),
        settle=top.take("settle", duration_from, 60.0),
        bootstrap=top.take("bootstrap", _bootstrap_from, Bootstrap()),
        late=top.take("late", text_from, ""),
        profile=top.take("profile", _profile_from, "lan"),
        swim=_section(top, "swim", SwimConfig),
        serf=_section(top, "serf", SerfConfig),
        wire=_section(top, "wire", WireConfig),
        catalog=_section(top, "catalog", CatalogConfig),
        keys=top.take("keys", _keys_from, ()),
        laws=Laws(**laws),  # type: ignore[arg-type]
        links=tuple(_link_rule(reader) for reader in top.tables("links")),
        special=tuple(_special(reader) for reader in top.tables("special")),
        groups=_groups(top.table("groups")),
        churn=tuple(_churn(reader) for reader in top.tables("churn")),
        faults=tuple(_fault(reader) for reader in top.tables("faults")),
        checkers=top.take("checkers", _checkers_from, ()),
        by_wire=top.take("by_wire", switch_from, False),
    )
    top.refuse_rest()
    if scenario.settle >= scenario.horizon:
        raise ScenarioError(
            f"settle: {scenario.settle:g} s leave nothing of a horizon of {scenario.horizon:g} s"
        )
    return scenario


# -- parts of a scenario ---------------------------------------------------------


def _section(reader: TableReader, key: str, model: type[Value]) -> dict[str, object]:
    table = reader.table(key)
    changed = typed_fields(table, model)
    table.refuse_rest()
    for field, value in changed.items():
        if isinstance(value, float) and 0 < value < INTERVAL_MIN:
            raise ScenarioError(f"{table.path_of(field)}: {value!r} is below {INTERVAL_MIN} s")
    return changed


def _laws(table: TableReader) -> dict[str, object]:
    laws = typed_fields(table, Laws)
    table.refuse_rest()
    try:
        check_laws(Laws(**laws))  # type: ignore[arg-type]
    except UsageError as error:
        raise ScenarioError(f"{table.path_of('')}{error}") from error
    return laws


def _link_rule(reader: TableReader) -> LinkRule:
    rule = LinkRule(
        sources=reader.need("sources", text_from),
        targets=reader.need("targets", text_from),
        both=reader.take("both", switch_from, True),
        laws=_laws(reader.table("laws")),
    )
    reader.refuse_rest()
    return rule


def _special(reader: TableReader) -> Special:
    special = Special(
        hosts=reader.need("hosts", text_from),
        profile=reader.take("profile", _profile_from, ""),
        swim=_section(reader, "swim", SwimConfig),
        serf=_section(reader, "serf", SerfConfig),
        wire=_section(reader, "wire", WireConfig),
        catalog=_section(reader, "catalog", CatalogConfig),
        tags=reader.take("tags", _tags_from, {}),
    )
    reader.refuse_rest()
    return special


def _groups(table: TableReader) -> dict[str, str]:
    groups: dict[str, str] = {}
    for group in table.keys:
        if not _GROUP.fullmatch(group) or _NOT_A_GROUP.fullmatch(group):
            raise ScenarioError(
                f"{table.path_of(group)}: a group is named in small letters, not as hosts are"
            )
        groups[group] = table.need(group, text_from)
    return groups


def _churn(reader: TableReader) -> Churn:
    churn = Churn(
        at=reader.need("at", duration_from),
        lasts=reader.need("lasts", duration_from),
        every=reader.need("every", _above_0),
        away=reader.take("away", _above_0, 10.0),
        leaves=reader.take("leaves", share_from, 0.5),
        remembers=reader.take("remembers", share_from, 0.5),
        hosts=reader.take("hosts", text_from, "all"),
    )
    reader.refuse_rest()
    return churn


def _fault(reader: TableReader) -> Fault:
    word = reader.need("do", text_from)
    kind = FAULTS.get(word)
    if kind is None:
        known = nearest(word, FAULTS) or f"; known are {', '.join(FAULTS)}"
        raise ScenarioError(f"{reader.path_of('do')}: no fault is called {word!r}{known}")
    values: dict[str, object] = {}
    for field in fields_of(kind):
        if field == "laws":
            values[field] = _laws(reader.table("laws"))
        elif is_required(kind, field) or field in reader.keys:
            values[field] = reader.need(field, _FIELDS[field])
        else:
            reader.take(field, _FIELDS[field], None)
    reader.refuse_rest()
    fault = kind(**values)  # type: ignore[arg-type]
    if isinstance(fault, HostilePackets):
        if fault.rate * fault.lasts > PACKETS_MAX:
            raise ScenarioError(
                f"{reader.path_of('rate')}: more than {PACKETS_MAX} packets a host are too many"
            )
    elif fault.lasts and kind.undo is Fault.undo:
        raise ScenarioError(f"{reader.path_of('lasts')}: {word} does not last")
    if isinstance(fault, SendEvent | Ask):
        try:
            Audience((), fault.tags)
        except UsageError as error:
            raise ScenarioError(f"{reader.path_of('tags')}: {error}") from error
    if isinstance(fault, ServiceFault) and not (fault.service or fault.is_of_hosts):
        raise ScenarioError(f"{reader.path_of('service')}: {word} is about a service: name one")
    if fault.stagger and not isinstance(fault, HostFault):
        raise ScenarioError(f"{reader.path_of('stagger')}: {word} does not befall single hosts")
    return fault


# -- single values ---------------------------------------------------------------


def _name_from(value: object) -> str:
    name = text_from(value)
    if not name.isprintable():
        raise ConfigError(f"{name!r} cannot be printed")
    return name


def _event_name_from(value: object) -> str:
    name = _name_from(value)
    if not 0 < len(name.encode()) <= EVENT_NAME_BYTES_MAX or name.startswith(INTERNAL_PREFIX):
        raise ConfigError(
            f"{name!r}: 1 to {EVENT_NAME_BYTES_MAX} bytes, not beginning with {INTERNAL_PREFIX}"
        )
    return name


def _nodes_from(value: object) -> int:
    nodes = count_from(value)
    if not 1 <= nodes <= HOSTS_MAX:
        raise ConfigError(f"{value!r} is not within 1..{HOSTS_MAX}")
    return nodes


def _above_0(value: object) -> float:
    number = duration_from(value)
    if not number > 0:
        raise ConfigError(f"{value!r} must be above 0")
    return number


def _profile_from(value: object) -> str:
    profile = text_from(value)
    if profile not in PROFILES:
        raise ConfigError(f"no profile is called {profile!r}; known are {', '.join(PROFILES)}")
    return profile


def _keys_from(value: object) -> tuple[bytes, ...]:
    return tuple(key_from(text) for text in texts_from(value))


def _tags_from(value: object) -> dict[str, str]:
    tags = tags_from(value)
    try:
        encode_own_tags(tags, meta_tail(1))
    except UsageError as error:
        raise ConfigError(str(error)) from error
    return tags


def _kinds_from(value: object) -> tuple[str, ...]:
    kinds = words_from(value, KINDS)
    if not kinds:
        raise ConfigError(f"empty: choose from {', '.join(KINDS)}")
    return kinds


def _checkers_from(value: object) -> tuple[str, ...]:
    return words_from(value, (*NAMES, NONE))


def _turns_from(value: object) -> int:
    turns = count_from(value)
    if turns < 1:
        raise ConfigError(f"{value!r} times is never")
    return turns


def _service_from(value: object) -> str:
    name = text_from(value)
    if not _SERVICE.fullmatch(name):
        raise ConfigError(f"{name!r}: a service is named in small letters, digits and dashes")
    return name


def _instances_from(value: object) -> int:
    count = count_from(value)
    if not 1 <= count <= INSTANCES_MAX:
        raise ConfigError(f"{value!r} instances are not within 1..{INSTANCES_MAX}")
    return count


def _status_from(value: object) -> str:
    status = text_from(value)
    if status not in STATUSES:
        raise ConfigError(f"{status!r} is none of {', '.join(STATUSES)}")
    return status


def _bootstrap_from(value: object) -> Bootstrap:
    table = TableReader(value if isinstance(value, dict) else {"kind": value})
    default = Bootstrap()
    kind = table.need("kind", text_from)
    if kind not in BOOTSTRAPS:
        raise ConfigError(f"{kind!r} is none of {', '.join(BOOTSTRAPS)}")
    bootstrap = Bootstrap(
        kind=kind,
        over=table.take("over", duration_from, default.over),
        seeds=table.take("seeds", _turns_from, default.seeds),
    )
    table.refuse_rest()
    return bootstrap


_FIELDS: Mapping[str, Callable[[object], object]] = {
    "at": duration_from,
    "lasts": duration_from,
    "stagger": duration_from,
    "every": duration_from,
    "times": _turns_from,
    "hosts": text_from,
    "to": text_from,
    "of": text_from,
    "target": text_from,
    "name": _event_name_from,
    "sources": text_from,
    "targets": text_from,
    "groups": texts_from,
    "delete": texts_from,
    "key": key_from,
    "kinds": _kinds_from,
    "tags": _tags_from,
    "remember": switch_from,
    "power_lost": switch_from,
    "prune": switch_from,
    "both": switch_from,
    "seconds": duration_from,
    "rate": _above_0,
    "median": duration_from,
    "sigma": sigma_from,
    "service": _service_from,
    "count": _instances_from,
    "meta": tags_from,
    "status": _status_from,
    "output": text_from,
    "load": share_from,
    "reason": text_from,
}
"""How each field of a fault is read."""
