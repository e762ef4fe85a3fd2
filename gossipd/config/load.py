"""Files, environment and flags into one ``AgentConfig``; the last one that speaks wins.

Text and numbers replace, lists are appended, tags are merged key by key
(agent.md, section 1). Unlike Serf, a switch can also be turned off again by a
later source. Nothing is read here: the caller hands in texts and mappings.
Beside the configuration goes where each of its values came from. Every
complaint names its source and key, in a file also the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from gossipd.config.agent_model import (
    PROTOCOL,
    PROTOCOLS,
    RETRY_INTERVAL_MIN,
    AgentConfig,
    agent_faults,
    faults_of_seeds,
)
from gossipd.config.event_handler import EVENT, is_handler_fact, split_handler
from gossipd.config.faces import DnsConfig, HttpConfig
from gossipd.config.model import PROFILES, CatalogConfig, NodeConfig, SerfConfig
from gossipd.config.options import (
    FILE_ONLY,
    NODE_SECTIONS,
    NUMBERS,
    OPTIONS,
    SECTIONS,
    SERVICE_KEYS,
    Option,
)
from gossipd.config.origin import DEFAULT, Complaint, ConfigFile, Origin, syntax_complaint
from gossipd.config.values import (
    count_from,
    key_from,
    list_from,
    number_from,
    seconds_from,
    switch_from,
    tags_from,
    text_from,
)
from gossipd.errors import ConfigError
from gossipd.value import Value, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.config.services import ServiceTables

ENVIRONMENT_PREFIX = "GOSSIPD_"
_OF_CONTAINERS = ("GOSSIPD_SERVICE_", "GOSSIPD_PORT")
"""What container platforms set for a service of our name; none of our settings begins so."""
_NODE_TARGETS = ("name", "tags", "keys")
_SECTION_KINDS: dict[type, str] = {
    float: "duration", int: "count", bool: "switch", str: "text", tuple: "list",
}  # fmt: skip


class Loaded(Value):
    """A configuration, and where its values came from.

    ``origins`` has an entry for each setting that a source speaks of: fields of
    ``AgentConfig``, ``name``, ``keys``, ``tags.<tag>``, ``<section>.<field>`` and
    ``service.<id>``;
    several for a list that was appended to.
    """

    config: AgentConfig
    origins: Mapping[str, tuple[Origin, ...]]


class _Where(Value):
    """What is being read now: its source, and its key if the source does not name it."""

    origin: Origin
    key: str = ""


class _Draft:
    """Values gathered so far; ``agent``, ``node`` and each section by field name."""

    def __init__(self, node_name: str) -> None:
        self.agent: dict[str, object] = {}
        self.node: dict[str, object] = {"name": node_name}
        self.sections: dict[str, dict[str, object]] = {name: {} for name in SECTIONS}
        self.tags: dict[str, str] = {}
        self.warnings: list[str] = []
        self.origins: dict[str, tuple[Origin, ...]] = {}
        self.complaints: list[Complaint] = []
        self.tables: ServiceTables | None = None

    def service_tables(self) -> ServiceTables:
        """Return where services are gathered; a start without any does without it."""
        if self.tables is None:
            from gossipd.config.services import ServiceTables

            self.tables = ServiceTables()
        return self.tables

    @contextmanager
    def reading(self, where: _Where) -> Iterator[None]:
        """Keep what is wrong with the value at ``where``, and go on with the next one."""
        try:
            yield
        except ConfigError as error:
            self.complaints.append(Complaint(where.origin, where.key, str(error)))


def load_config(
    files: Sequence[ConfigFile],
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    *,
    node_name: str,
) -> AgentConfig:
    """Merge the sources, lowest first, and check the result; see ``load``."""
    return load(files, environment, flags, node_name=node_name).config


def load(
    files: Sequence[ConfigFile],
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    *,
    node_name: str,
    services: Sequence[ConfigFile] = (),
) -> Loaded:
    """Merge the sources, lowest first, and check the result.

    Args:
        files: in the order in which they were given.
        environment: of the process; only ``GOSSIPD_`` names are looked at.
        flags: by option key (``Option.key``); text, a list of texts, or a bool.
        node_name: used when no source names the node.
        services: files that say of services only.

    Raises:
        ConfigError: unknown key, wrong type, value that cannot work; one line.
    """
    loaded, complaints = examine(files, environment, flags, node_name=node_name, services=services)
    if loaded is None:
        raise ConfigError(str(complaints[0]))
    return loaded


def examine(
    files: Sequence[ConfigFile],
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    *,
    node_name: str,
    services: Sequence[ConfigFile] = (),
) -> tuple[Loaded | None, tuple[Complaint, ...]]:
    """Merge as ``load`` does, and return all complaints instead of raising the first.

    How values go together is looked at when each of them is right.
    """
    draft = _Draft(node_name)
    for file in files:
        _take_file(draft, file)
    for file in services:
        _take_services(draft, file)
    if draft.tables is not None:
        draft.complaints.extend(draft.tables.complaints)
    _take_environment(draft, environment)
    by_key = {option.key: option for option in OPTIONS}
    for key, value in flags.items():
        option = by_key[key]
        where = _Where(Origin(f"--{option.flag}"))
        with draft.reading(where):
            if option.flag_negates:
                value = not switch_from(value)
            _take(draft, option, value, where)
    loaded = None
    if not draft.complaints:
        try:
            config = _finish(draft)
            faults = list(agent_faults(config))
        except ConfigError as error:
            faults = [error]
        for fault in faults:
            found = draft.origins.get(fault.key or _key_in(str(fault)), (DEFAULT,))[-1]
            draft.complaints.append(Complaint(found, "", str(fault)))
        if not faults:
            loaded = Loaded(config, draft.origins)
    return loaded, tuple(draft.complaints)


def _key_in(complaint: str) -> str:
    """Return the setting that a cross-field check names first, as ``origins`` calls it."""
    word = complaint.partition(" ")[0].rstrip(":")
    for name in SECTIONS:
        if word in fields_of(_section_default(name, "lan")):
            return f"{name}.{word}"
    return word


def _take_services(draft: _Draft, file: ConfigFile) -> None:
    """Take in a file of ``services.d``."""
    read = _read(draft, file)
    if read is not None:
        draft.service_tables().take_file(file.name, *read)


def _read(
    draft: _Draft, file: ConfigFile
) -> tuple[dict[str, object], dict[tuple[str, ...], int]] | None:
    """Return the keys of ``file`` and their lines; a file that is none is complained of."""
    try:
        return _parse(file), _key_lines(file)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        draft.complaints.append(syntax_complaint(file, error))
        return None


def _take_file(draft: _Draft, file: ConfigFile) -> None:
    read = _read(draft, file)
    if read is None:
        return
    parsed, lines = read
    for key, value in parsed.items():
        where = _Where(Origin(file.name, lines.get((key,), 0)), key)
        with draft.reading(where):
            if key in SERVICE_KEYS:
                draft.service_tables().take_key(file.name, key, value, lines)
            elif key in SECTIONS or key == "mdns":
                if not isinstance(value, dict):
                    raise ConfigError(f"{value!r} is not a table")
                for field, setting in value.items():
                    origin = Origin(file.name, lines.get((key, field), where.origin.line))
                    inner = _Where(origin, f"{key}.{field}")
                    with draft.reading(inner):
                        if key == "mdns":
                            _take_key(draft, f"mdns_{field}", setting, inner)
                        else:
                            _take_field(draft, key, field, setting, inner.origin)
            elif key == "tags" and isinstance(value, dict):
                for tag, text in value.items():
                    origin = Origin(file.name, lines.get((key, tag), where.origin.line))
                    inner = _Where(origin, f"{key}.{tag}")
                    with draft.reading(inner):
                        _take_key(draft, key, {tag: text}, inner)
            else:
                _take_key(draft, key, value, where)


def _key_lines(file: ConfigFile) -> dict[tuple[str, ...], int]:
    from gossipd.config.lines import key_lines  # a start without a file does without it

    return key_lines(file)


def _take_key(draft: _Draft, key: str, value: object, where: _Where) -> None:
    """Put one key of a file where its option says."""
    known = {option.key: option for option in (*OPTIONS, *FILE_ONLY) if option.kind != "sets"}
    if key in known:
        _take(draft, known[key], value, where)
        return
    of_table = (option.replace("mdns_", "mdns.", 1) for option in known)
    hint = _nearest(where.key, (*known, *SECTIONS, *SERVICE_KEYS, *of_table))
    draft.complaints.append(Complaint(where.origin, "", f"unknown key {where.key!r}{hint}"))


def _parse(file: ConfigFile) -> dict[str, object]:
    """Return the keys of a TOML file, or of a JSON object.

    Raises:
        ValueError, RecursionError: it is neither.
    """
    if file.is_json:
        import json  # a start without a file does without it

        value = json.loads(file.text)
        if not isinstance(value, dict):
            raise ValueError("it is not a JSON object")
        # for Serf's parser null is a key that is not there
        return {key: inner for key, inner in value.items() if inner is not None}
    import tomllib  # likewise

    return tomllib.loads(file.text)


def _take_environment(draft: _Draft, environment: Mapping[str, str]) -> None:
    known = {
        ENVIRONMENT_PREFIX + option.key.upper(): option
        for option in (*OPTIONS, *FILE_ONLY)
        if option.kind != "sets"
    }
    for variable, option in known.items():
        if environment.get(variable):
            where = _Where(Origin(variable))
            with draft.reading(where):
                _take(draft, option, environment[variable], where)
    of_handler = f"{ENVIRONMENT_PREFIX}{EVENT}" in environment
    for variable in sorted(environment):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in known:
            continue
        name = variable[len(ENVIRONMENT_PREFIX) :]
        if of_handler and is_handler_fact(name):
            continue  # we were started by an event handler, which is told these
        section, _, field = name.lower().partition("_")
        where = _Where(Origin(variable))
        with draft.reading(where):
            if section in SECTIONS:
                _take_field(draft, section, field, environment[variable], where.origin)
            elif environment[variable] and not variable.startswith(_OF_CONTAINERS):
                raise ConfigError(f"unknown setting{_nearest(variable, known)}")


def _take(draft: _Draft, option: Option, value: object, where: _Where) -> None:
    """Put one value where its option says; ``where`` names source and key."""
    if option.kind != "sets":
        _place(draft, option, value, where.origin)
        return
    for word in list_from(value):
        name, equals, text = word.partition("=")
        section, dot, field = name.partition(".")
        origin = Origin(f"{where.origin} {name}")
        with draft.reading(_Where(origin if dot else Origin(f"{where.origin} {word}"))):
            if not (equals and dot) or section not in SECTIONS:
                raise ConfigError(f"write {'|'.join(SECTIONS)}.<field>=<value>")
            _take_field(draft, section, field, text, origin)


def _place(draft: _Draft, option: Option, value: object, origin: Origin) -> None:
    section, _, field = option.target.rpartition(".")
    if option.target == "keys":
        draft.node["keys"] = (key_from(value),)
    elif option.kind == "tags":
        tags = tags_from(value)
        draft.tags.update(tags)
        draft.origins.update({f"tags.{tag}": (origin,) for tag in tags})
        return
    elif section == "tags":
        draft.tags[field] = text_from(value)
        draft.warnings.append("'Role' has been replaced with 'Tags'")
    elif option.kind in ("list", "lines"):
        values = draft.sections[section] if section else draft.agent
        before = values.get(field, ())
        assert isinstance(before, tuple)
        texts = list_from(value, "," if option.kind == "list" else "\n")
        if option.key == "event_handlers":
            for text in texts:
                split_handler(text)  # here, where it is known who says so
        values[field] = before + texts
        draft.origins[option.target] = (*draft.origins.get(option.target, ()), origin)
        return
    else:
        typed = _typed(option.kind, value)
        if option.key_negates:
            typed = not typed
        if section:
            draft.sections[section][field] = typed
        else:
            (draft.node if field in _NODE_TARGETS else draft.agent)[field] = typed
    draft.origins[option.target] = (origin,)


def _typed(kind: str, value: object) -> object:
    match kind:
        case "duration":
            return seconds_from(value)
        case "count":
            return count_from(value)
        case "number":
            return number_from(value)
        case "switch":
            return switch_from(value)
        case "list":
            return list_from(value)
        case _:
            return text_from(value)


def _take_field(draft: _Draft, section: str, field: str, value: object, origin: Origin) -> None:
    """Put one value in a section, typed as the default of that field is."""
    default = _section_default(section, "lan")
    if field not in fields_of(default):
        raise ConfigError(f"unknown key {field!r}{_nearest(field, fields_of(default))}")
    kind = "number" if field in NUMBERS else _SECTION_KINDS[type(getattr(default, field))]
    draft.sections[section][field] = _typed(kind, value)
    draft.origins[f"{section}.{field}"] = (origin,)


def _section_default(section: str, profile: str) -> Value:
    swim, wire = PROFILES[profile]
    return {"swim": swim, "wire": wire, **_OF_ALL_PROFILES}[section]


_OF_ALL_PROFILES: Mapping[str, Value] = {
    "serf": SerfConfig(),
    "catalog": CatalogConfig(),
    "http": HttpConfig(),
    "dns": DnsConfig(),
}


def _finish(draft: _Draft) -> AgentConfig:
    profile = str(draft.agent.get("profile", "lan"))
    if profile not in PROFILES:
        raise ConfigError(
            f"Unknown profile: {profile}; known are {', '.join(PROFILES)}", key="profile"
        )
    if "profile" in draft.agent:
        _name_profile(draft, profile)
    for name in SECTIONS:
        base = _section_default(name, profile)
        if draft.sections[name]:
            values = {field: getattr(base, field) for field in fields_of(base)}
            base = type(base)(**(values | draft.sections[name]))
        (draft.node if name in NODE_SECTIONS else draft.agent)[name] = base
    if isinstance(level := draft.agent.get("log_level"), str):
        draft.agent["log_level"] = level.upper()
    if isinstance(path := draft.agent.get("socket"), str):
        draft.agent["socket"] = path.removeprefix("unix:")
    protocol = draft.agent.get("protocol", PROTOCOL)
    if protocol in PROTOCOLS and protocol != PROTOCOL:
        draft.warnings.append(f"gossipd speaks protocol {PROTOCOL}, not {protocol}")
    interval = draft.agent.get("retry_interval")
    if isinstance(interval, float) and interval < RETRY_INTERVAL_MIN:
        draft.agent["retry_interval"] = RETRY_INTERVAL_MIN
        draft.warnings.append("'RetryInterval' is too low. Setting to 1s")
    for key in ("start_join", "retry_join"):
        seeds = draft.agent.get(key, ())
        assert isinstance(seeds, tuple)
        draft.warnings.extend(f"{key} {fault}" for fault in faults_of_seeds(seeds))
    if draft.tables is not None:
        draft.agent["services"] = draft.tables.services
        draft.origins.update(draft.tables.origins)
    return AgentConfig(
        node=NodeConfig(tags=draft.tags, **draft.node),  # type: ignore[arg-type]
        warnings=tuple(draft.warnings),
        **draft.agent,  # type: ignore[arg-type]
    )


def _name_profile(draft: _Draft, profile: str) -> None:
    """Note which values of the sections are the profile's own, not everybody's default."""
    for name in SECTIONS:
        usual, chosen = _section_default(name, "lan"), _section_default(name, profile)
        for field in fields_of(chosen):
            if getattr(usual, field) != getattr(chosen, field):
                draft.origins.setdefault(f"{name}.{field}", (Origin(f"profile {profile}"),))


def _nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the known word most like ``word``, or nothing."""
    import difflib  # only on the way to an error

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
