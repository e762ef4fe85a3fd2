"""The parts of a catalog record as bytes: definition, state, outputs, and a node's state.

Each is one msgpack array whose last elements are left out where they are the
defaults. Of checks only what others see travels: id, name and kind. What many
instances have in common (states, tags, meta, names) is shared, not copied, and a
check that passes is one value: in the definition and in the instance made of it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any, Final, Generic, TypeVar, cast

from gossipd.errors import WireError
from gossipd.services.definition import (
    CRITICAL,
    OUTPUT_BYTES_MAX,
    PASSING,
    WARNING,
    WEIGHT_MAX,
    CheckDefinition,
    CheckState,
    NodeState,
    Service,
    ServiceState,
)
from gossipd.wire.catalog_codec import ID_BYTES_MAX, text_untrusted
from gossipd.wire.dialect import pack, unpack_untrusted
from gossipd.wire.reasons import MALFORMED, TOO_LARGE

PART_BYTES_MAX: Final = 2**18
"""Of one part."""
TEXT_BYTES_MAX: Final = 16_384
"""Of one text in it."""
KEPT: Final = 2048
"""Values of each kind that are remembered to be shared."""
SHARED_BYTES_MAX: Final = 64
"""Of a text that is shared."""
PORT_MAX: Final = 65_535

_LETTERS: Final = {PASSING: "p", WARNING: "w", CRITICAL: "c"}
_STATUSES: Final = {ord("p"): PASSING, ord("w"): WARNING, ord("c"): CRITICAL}
_NO_META: Final[dict[str, str]] = {}
_NO_ADDRESSES: Final[dict[str, tuple[str, int]]] = {}

V = TypeVar("V")
K = TypeVar("K", bound=Hashable)


class Shared(Generic[K, V]):
    """Values by what they are made of, the same one each time while it is remembered."""

    __slots__ = ("_kept", "limit")

    def __init__(self, limit: int = KEPT) -> None:
        self.limit = limit
        self._kept: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return the value made of ``key``, if it is remembered."""
        return self._kept.get(key)

    def keep(self, key: K, value: V) -> V:
        """Remember ``value``, forgetting all others where there are too many; return it."""
        if self.limit:
            if len(self._kept) >= self.limit:
                self._kept.clear()
            self._kept[key] = value
        return value


_texts: Shared[bytes, str] = Shared()
_tags: Shared[tuple[str, ...], tuple[str, ...]] = Shared()
_metas: Shared[tuple[tuple[str, str], ...], dict[str, str]] = Shared()
_checks: Shared[tuple[CheckState, ...], tuple[CheckState, ...]] = Shared(64)
_ports: Shared[int, int] = Shared(128)
"""Nodes of one kind have the same services on the same ports."""
_states: Shared[bytes, tuple[bytes, ServiceState]] = Shared()
definitions: Shared[bytes, tuple[bytes, Service]] = Shared(0)
"""Of use only where many nodes share a process: raise the limit there."""


def service_of_untrusted(data: bytes) -> tuple[bytes, Service]:
    """Return the definition of a service, and ``data`` or equal bytes that are shared.

    Raises:
        WireError: it is none.
    """
    known = definitions.get(data)
    return known or definitions.keep(data, (data, decode_service_untrusted(data)))


def are_made_again(data: bytes, service: Service) -> bool:
    """Say whether ``data``, of which ``service`` was read, need not be kept beside it.

    ``encode_service`` gives the very bytes; a newer version may have told more, or otherwise.
    Where definitions are shared in a process their bytes cost nothing, and encoding does.
    """
    return not definitions.limit and encode_service(service) == data


def state_of_untrusted(data: bytes) -> tuple[bytes, ServiceState]:
    """Return the state of a service, and ``data`` or equal bytes that are shared.

    Raises:
        WireError: it is none.
    """
    return _states.get(data) or _states.keep(data, (data, decode_state_untrusted(data)))


def encode_service(service: Service) -> bytes:
    """Return the definition of a service."""
    fields: list[object] = [
        service.id,
        None if service.name == service.id else service.name,
        service.port,
        service.address,
        service.tags,
        dict(service.meta),
        [[check.id, check.name, check.kind] for check in service.checks],
        service.weight,
        service.warning_weight,
        service.zone,
        service.needs,
        {name: [host, port] for name, (host, port) in service.tagged_addresses.items()},
    ]
    return _trimmed(fields, ("", None, 0, "", (), {}, [], 1, 1, "", (), {}))


def decode_service_untrusted(data: bytes) -> Service:
    """Return the definition of a service.

    Raises:
        WireError: it is none.
    """
    fields = _fields_untrusted(data, 12)
    id = text_untrusted(fields[0], ID_BYTES_MAX)
    return Service(
        id=id,
        name=id if fields[1] is None else _text_untrusted(fields[1], ID_BYTES_MAX),
        port=_port_untrusted(fields[2]),
        address=_text_untrusted(fields[3]),
        tags=_texts_untrusted(fields[4]),
        meta=_meta_untrusted(fields[5]),
        checks=cast("tuple[CheckDefinition, ...]", _checks_untrusted(fields[6])),
        weight=_int_untrusted(fields[7], 1, WEIGHT_MAX),
        warning_weight=_int_untrusted(fields[8], 1, WEIGHT_MAX),
        zone=_text_untrusted(fields[9]),
        needs=_texts_untrusted(fields[10]),
        tagged_addresses=_tagged_untrusted(fields[11]),
    )


def encode_state(state: ServiceState) -> bytes:
    """Return what changes of a service while it runs."""
    statuses = "".join([_LETTERS.get(status, "c") for status in state.statuses])
    fields = [statuses, state.weight, state.load, state.maintenance, state.is_draining]
    return _trimmed(fields, ("", 1, None, "", False))


def decode_state_untrusted(data: bytes) -> ServiceState:
    """Return the state of a service.

    Raises:
        WireError: it is none.
    """
    fields = _fields_untrusted(data, 5)
    return ServiceState(
        statuses=_statuses_untrusted(fields[0]),
        weight=_int_untrusted(fields[1], 1, WEIGHT_MAX),
        load=_load_untrusted(fields[2]),
        maintenance=_text_untrusted(fields[3]),
        is_draining=fields[4] is True,
    )


def encode_outputs(outputs: tuple[str, ...]) -> bytes:
    """Return what the checks of a service say."""
    return pack(list(outputs))


def decode_outputs_untrusted(data: bytes) -> tuple[str, ...]:
    """Return what the checks of a service say.

    Raises:
        WireError: it is no list of texts.
    """
    return tuple([_text_untrusted(text) for text in _fields_untrusted(data, 0)])


def encode_node_state(state: NodeState) -> bytes:
    """Return what an owner tells of itself."""
    checks = [
        [check.id, check.name, check.kind, _LETTERS.get(check.status, "c"), check.output]
        for check in state.checks
    ]
    fields = [state.zone, state.maintenance, state.is_draining, checks]
    return _trimmed(fields, ("", "", False, []))


def decode_node_state_untrusted(data: bytes) -> NodeState:
    """Return what an owner tells of itself.

    Raises:
        WireError: it is no node's state.
    """
    fields = _fields_untrusted(data, 4)
    return NodeState(
        zone=_text_untrusted(fields[0]),
        maintenance=_text_untrusted(fields[1]),
        is_draining=fields[2] is True,
        checks=tuple([_check_state_untrusted(check) for check in _list_untrusted(fields[3])]),
    )


def _trimmed(fields: list[Any], defaults: tuple[object, ...]) -> bytes:
    count = len(fields)
    while count > 1 and fields[count - 1] == defaults[count - 1]:
        count -= 1
    return pack(fields[:count])


def _fields_untrusted(data: bytes, wanted: int) -> list[Any]:
    """Return the elements of an array, ``None`` for those that are left out."""
    if len(data) > PART_BYTES_MAX:
        raise WireError(TOO_LARGE, f"a part of {len(data)} bytes")
    fields = unpack_untrusted(data)
    if type(fields) is not list:
        raise WireError(MALFORMED, "a part of a record is no list")
    if len(fields) < wanted:
        fields.extend([None] * (wanted - len(fields)))
    return fields


def _text_untrusted(value: Any, bytes_max: int = TEXT_BYTES_MAX) -> str:
    if value is None or value == b"":
        return ""
    if type(value) is not bytes or len(value) > bytes_max:
        raise WireError(MALFORMED, f"text of at most {bytes_max} bytes is expected")
    known = _texts.get(value)
    if known is not None:
        return known
    text = value.decode("utf-8", "surrogateescape")
    return _texts.keep(value, text) if len(value) <= SHARED_BYTES_MAX else text


def _int_untrusted(value: Any, default: int, most: int) -> int:
    if value is None:
        return default
    if type(value) is int and 0 <= value <= most:
        return value
    raise WireError(MALFORMED, f"an integer within 0..{most} is expected")


def _port_untrusted(value: Any) -> int:
    port = _int_untrusted(value, 0, PORT_MAX)
    return _ports.get(port) or _ports.keep(port, port)


def _load_untrusted(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) in (int, float) and math.isfinite(value):
        return float(value)
    raise WireError(MALFORMED, "a load is no number")


def _list_untrusted(value: Any) -> list[Any]:
    if value is None:
        return []
    if type(value) is list:
        return value
    raise WireError(MALFORMED, f"a list is expected, {type(value).__name__} came")


def _texts_untrusted(value: Any) -> tuple[str, ...]:
    if not value:
        return ()
    texts = tuple([_text_untrusted(text) for text in _list_untrusted(value)])
    return _tags.get(texts) or _tags.keep(texts, texts)


def _map_untrusted(value: Any) -> dict[Any, Any]:
    if type(value) is dict:
        return value
    raise WireError(MALFORMED, f"a map is expected, {type(value).__name__} came")


def _meta_untrusted(value: Any) -> dict[str, str]:
    if not value:
        return _NO_META
    items = tuple(
        [
            (_text_untrusted(key), _text_untrusted(text))
            for key, text in _map_untrusted(value).items()
        ]
    )
    return _metas.get(items) or _metas.keep(items, dict(items))


def _tagged_untrusted(value: Any) -> dict[str, tuple[str, int]]:
    if not value:
        return _NO_ADDRESSES
    tagged: dict[str, tuple[str, int]] = {}
    for name, address in _map_untrusted(value).items():
        host_port = _list_untrusted(address)
        if len(host_port) < 2:
            raise WireError(MALFORMED, "a tagged address is no host with a port")
        host, port = _text_untrusted(host_port[0]), _int_untrusted(host_port[1], 0, PORT_MAX)
        tagged[_text_untrusted(name)] = host, port
    return tagged


def _statuses_untrusted(value: Any) -> tuple[str, ...]:
    if not value:
        return ()
    if type(value) is not bytes:
        raise WireError(MALFORMED, "statuses are no text")
    return tuple([_STATUSES.get(letter, CRITICAL) for letter in value])


def _checks_untrusted(value: Any) -> tuple[CheckState, ...]:
    if not value:
        return ()
    checks = tuple([_check_untrusted(check) for check in _list_untrusted(value)])
    return _checks.get(checks) or _checks.keep(checks, checks)


def _check_untrusted(value: Any) -> CheckState:
    fields = _list_untrusted(value)
    if len(fields) < 3:
        raise WireError(MALFORMED, "a check has an id, a name and a kind")
    id = text_untrusted(fields[0], ID_BYTES_MAX)
    name, kind = _text_untrusted(fields[1], ID_BYTES_MAX), _text_untrusted(fields[2], ID_BYTES_MAX)
    return CheckState(id, name, kind, PASSING)


def _check_state_untrusted(value: Any) -> CheckState:
    fields = _list_untrusted(value)
    if len(fields) < 5:
        raise WireError(MALFORMED, "a check has an id, a name, a kind, a status and an output")
    id, name, kind = (_text_untrusted(field, ID_BYTES_MAX) for field in fields[:3])
    status = _statuses_untrusted(fields[3])
    output = _text_untrusted(fields[4], OUTPUT_BYTES_MAX)
    return CheckState(id, name, kind, status[0] if status else CRITICAL, output)
