"""Files, environment and flags into one ``AgentConfig``; the last one that speaks wins.

Text and numbers replace, lists are appended, tags are merged key by key
(agent.md, section 1). Unlike Serf, a switch can also be turned off again by a
later source. Nothing is read here: the caller hands in texts and mappings.
Every complaint names its source and key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gossipd.config.agent_model import (
    RETRY_INTERVAL_MIN,
    AgentConfig,
    check_agent_config,
)
from gossipd.config.model import PROFILES, NodeConfig, SerfConfig
from gossipd.config.options import FILE_ONLY, NOT_YET, OPTIONS, SECTIONS, Option
from gossipd.config.values import (
    count_from,
    key_from,
    list_from,
    seconds_from,
    switch_from,
    tags_from,
    text_from,
)
from gossipd.errors import ConfigError
from gossipd.value import Value, fields_of

ENVIRONMENT_PREFIX = "GOSSIPD_"
_OF_CONTAINERS = ("GOSSIPD_SERVICE_", "GOSSIPD_PORT")
"""What container platforms set for a service of our name; none of our settings begins so."""
_NODE_TARGETS = ("name", "tags", "keys")
_SECTION_KINDS: dict[type, str] = {float: "duration", int: "count", bool: "switch", str: "text"}


class ConfigFile(Value):
    """One configuration file: its name, for messages and to tell TOML from ``.json``."""

    name: str
    text: str


class _Draft:
    """Values gathered so far; ``agent``, ``node`` and each section by field name."""

    def __init__(self) -> None:
        self.agent: dict[str, object] = {}
        self.node: dict[str, object] = {}
        self.sections: dict[str, dict[str, object]] = {name: {} for name in SECTIONS}
        self.tags: dict[str, str] = {}
        self.warnings: list[str] = []


def load_config(
    files: Sequence[ConfigFile],
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    *,
    node_name: str,
) -> AgentConfig:
    """Merge the sources, lowest first, and check the result.

    Args:
        files: in the order in which they were given.
        environment: of the process; only ``GOSSIPD_`` names are looked at.
        flags: by option key (``Option.key``); text, a list of texts, or a bool.
        node_name: used when no source names the node.

    Raises:
        ConfigError: unknown key, wrong type, value that cannot work; one line.
    """
    draft = _Draft()
    draft.node["name"] = node_name
    for file in files:
        _take_file(draft, file)
    _take_environment(draft, environment)
    by_key = {option.key: option for option in OPTIONS}
    for key, value in flags.items():
        option = by_key[key]
        if option.flag_negates:
            value = not switch_from(value)
        _take(draft, option, value, f"--{option.flag}")
    return _finish(draft)


def _take_file(draft: _Draft, file: ConfigFile) -> None:
    known = {option.key: option for option in (*OPTIONS, *FILE_ONLY) if option.kind != "sets"}
    for key, value in _parse(file).items():
        where = f"{file.name}: {key}"
        if key in SECTIONS:
            if not isinstance(value, dict):
                raise ConfigError(f"{where}: {value!r} is not a table")
            for field, setting in value.items():
                _take_field(draft, key, field, setting, f"{file.name}: {key}.{field}")
        elif key in NOT_YET:
            if value and value != NOT_YET[key]:
                raise ConfigError(f"{where}: not supported by this version of gossipd; remove it")
        elif key in known:
            _take(draft, known[key], value, where)
        else:
            hint = _nearest(key, (*known, *SECTIONS))
            raise ConfigError(f"{file.name}: unknown key {key!r}{hint}")


def _parse(file: ConfigFile) -> dict[str, object]:
    """Return the keys of a TOML file, or of a JSON object if its name says so."""
    if file.name.endswith(".json"):
        import json  # a start without a file does without it

        try:
            value = json.loads(file.text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"Error decoding '{file.name}': {error}") from error
        if not isinstance(value, dict):
            raise ConfigError(f"Error decoding '{file.name}': it is not a JSON object")
        return value
    import tomllib  # likewise

    try:
        return tomllib.loads(file.text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        raise ConfigError(f"Error decoding '{file.name}': {error}") from error


def _take_environment(draft: _Draft, environment: Mapping[str, str]) -> None:
    known = {
        ENVIRONMENT_PREFIX + option.key.upper(): option
        for option in (*OPTIONS, *FILE_ONLY)
        if option.kind != "sets"
    }
    for variable, option in known.items():
        if environment.get(variable):
            _take(draft, option, environment[variable], variable)
    for variable in sorted(environment):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in known:
            continue
        section, _, field = variable[len(ENVIRONMENT_PREFIX) :].lower().partition("_")
        if section in SECTIONS:
            _take_field(draft, section, field, environment[variable], variable)
        elif environment[variable] and not variable.startswith(_OF_CONTAINERS):
            raise ConfigError(f"{variable}: unknown setting{_nearest(variable, known)}")


def _take(draft: _Draft, option: Option, value: object, where: str) -> None:
    """Put one value where its option says; ``where`` names source and key."""
    if option.kind == "sets":
        for word in list_from(value):
            name, equals, text = word.partition("=")
            section, dot, field = name.partition(".")
            if not (equals and dot) or section not in SECTIONS:
                raise ConfigError(f"{where} {word}: write {'|'.join(SECTIONS)}.<field>=<value>")
            _take_field(draft, section, field, text, f"{where} {name}")
        return
    try:
        _place(draft, option, value)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _place(draft: _Draft, option: Option, value: object) -> None:
    section, _, field = option.target.rpartition(".")
    if option.target == "keys":
        draft.node["keys"] = (key_from(value),)
    elif option.kind == "tags":
        draft.tags.update(tags_from(value))
    elif section == "tags":
        draft.tags[field] = text_from(value)
        draft.warnings.append("'Role' has been replaced with 'Tags'")
    elif option.kind == "list":
        before = draft.agent.get(field, ())
        assert isinstance(before, tuple)
        draft.agent[field] = before + list_from(value)
    else:
        typed = _typed(option.kind, value)
        if option.key_negates:
            typed = not typed
        if section:
            draft.sections[section][field] = typed
        else:
            (draft.node if field in _NODE_TARGETS else draft.agent)[field] = typed


def _typed(kind: str, value: object) -> object:
    match kind:
        case "duration":
            return seconds_from(value)
        case "count":
            return count_from(value)
        case "switch":
            return switch_from(value)
        case _:
            return text_from(value)


def _take_field(draft: _Draft, section: str, field: str, value: object, where: str) -> None:
    """Put one value in a section, typed as the default of that field is."""
    default = _section_default(section, "lan")
    if field not in fields_of(default):
        raise ConfigError(f"{where}: unknown key {field!r}{_nearest(field, fields_of(default))}")
    try:
        kind = _SECTION_KINDS[type(getattr(default, field))]
        draft.sections[section][field] = _typed(kind, value)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _section_default(section: str, profile: str) -> Value:
    swim, wire = PROFILES[profile]
    return {"swim": swim, "wire": wire, "serf": _SERF_DEFAULT}[section]


_SERF_DEFAULT = SerfConfig()


def _finish(draft: _Draft) -> AgentConfig:
    profile = str(draft.agent.get("profile", "lan"))
    if profile not in PROFILES:
        raise ConfigError(f"Unknown profile: {profile}; known are {', '.join(PROFILES)}")
    for name in SECTIONS:
        base = _section_default(name, profile)
        if draft.sections[name]:
            values = {field: getattr(base, field) for field in fields_of(base)}
            base = type(base)(**(values | draft.sections[name]))
        draft.node[name] = base
    if isinstance(level := draft.agent.get("log_level"), str):
        draft.agent["log_level"] = level.upper()
    if isinstance(path := draft.agent.get("socket"), str):
        draft.agent["socket"] = path.removeprefix("unix:")
    interval = draft.agent.get("retry_interval")
    if isinstance(interval, float) and interval < RETRY_INTERVAL_MIN:
        draft.agent["retry_interval"] = RETRY_INTERVAL_MIN
        draft.warnings.append("'RetryInterval' is too low. Setting to 1s")
    config = AgentConfig(
        node=NodeConfig(tags=draft.tags, **draft.node),  # type: ignore[arg-type]
        warnings=tuple(draft.warnings),
        **draft.agent,  # type: ignore[arg-type]
    )
    check_agent_config(config)
    return config


def _nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the known word most like ``word``, or nothing."""
    import difflib  # only on the way to an error

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
