"""What the local socket answers about services, as clients see it.

Read by the client side only; the server writes maps (``rpc/service_answers.py``).
The values are those of ``services/``; ages become times on the client's clock.
"""

from __future__ import annotations

from gossipd.errors import UsageError, WireError
from gossipd.query.records import BAD_REPLY
from gossipd.services.definition import CheckState, Service
from gossipd.services.instance import (
    CHANGED,
    DOWN,
    UP,
    Instance,
    ServiceChange,
    ServiceReset,
    ServiceSummary,
    ServiceView,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gossipd.services.own import OwnServices

SET = "set"
"""Kind of the record with the whole set."""


def read_view_untrusted(body: object, name: str, now: float) -> ServiceView:
    """Return the answer to ``service``, or the set that a watch begins with.

    Args:
        body: what came.
        name: of the service.
        now: on the clock that times in the answer shall have.

    Raises:
        WireError: ``bad-reply``.
    """
    try:
        b: Any = body  # whatever it is, its use below is checked
        return ServiceView(
            name=name,
            index=_whole(b["Index"]),
            instances=tuple([_read_instance(one, now) for one in b["Instances"]]),
            is_guarded=_flag(b.get("Guarded", False)),
        )
    except _UNREADABLE as error:
        raise WireError(BAD_REPLY, f"a service without {error}") from error


def read_instances_untrusted(body: object, now: float) -> list[Instance]:
    """Return the answer to ``services-of``.

    Raises:
        WireError: ``bad-reply``.
    """
    try:
        b: Any = body
        return [_read_instance(one, now) for one in b["Instances"]]
    except _UNREADABLE as error:
        raise WireError(BAD_REPLY, f"an instance without {error}") from error


def read_change_untrusted(body: object, name: str, now: float) -> ServiceReset | ServiceChange:
    """Return the record of a watch of service ``name`` that ``body`` is.

    Raises:
        WireError: ``bad-reply``.
    """
    try:
        b: Any = body
        kind = b["Kind"]
        if kind == SET:
            return ServiceReset(view=read_view_untrusted(body, name, now))
        if kind not in (UP, CHANGED, DOWN):
            raise WireError(BAD_REPLY, f"a change of kind {kind!r:.80}")
        return ServiceChange(
            index=_whole(b["Index"]), kind=kind, instance=_read_instance(b["Instance"], now)
        )
    except _UNREADABLE as error:
        raise WireError(BAD_REPLY, f"a change without {error}") from error


def read_summaries_untrusted(body: object) -> list[ServiceSummary]:
    """Return the answer to ``services``, by name.

    Raises:
        WireError: ``bad-reply``.
    """
    try:
        b: Any = body
        return [
            ServiceSummary(
                name=_text(s["Name"]),
                index=_whole(s["Index"]),
                passing=_whole(s["Passing"]),
                warning=_whole(s["Warning"]),
                critical=_whole(s["Critical"]),
                doubtful=_whole(s["Doubtful"]),
                tags=_texts(s["Tags"]),
                needs=_texts(s["Needs"]),
                is_guarded=_flag(s["Guarded"]),
            )
            for s in b["Services"]
        ]
    except _UNREADABLE as error:
        raise WireError(BAD_REPLY, f"a list of services without {error}") from error


def read_own_untrusted(body: object) -> OwnServices:
    """Return the answer to ``own-services``.

    Raises:
        WireError: ``bad-reply``.
    """
    from gossipd.services.saved import read_own_services  # seldom asked for

    try:
        b: Any = body
        return read_own_services({"node": b["Node"], "services": b["Services"]})
    except (*_UNREADABLE, UsageError) as error:
        raise WireError(BAD_REPLY, f"own services: {error}") from error


def read_warnings_untrusted(body: object) -> tuple[str, ...]:
    """Return what will not work everywhere of a registration.

    Raises:
        WireError: ``bad-reply``.
    """
    try:
        b: Any = body
        return _texts(b["Warnings"])
    except _UNREADABLE as error:
        raise WireError(BAD_REPLY, f"a registration without {error}") from error


_UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def _read_instance(i: Any, now: float) -> Instance:
    suspected_for = i.get("SuspectedFor")
    load = i["Load"]
    return Instance(
        owner=_text(i["Owner"]),
        owner_address=_text(i["OwnerAddress"]),
        service=_read_service(i["Service"]),
        status=_text(i["Status"]),
        checks=tuple([_read_check(check) for check in i["Checks"]]),
        weight=_whole(i["Weight"]),
        load=None if load is None else float(load),
        zone=_text(i["Zone"]),
        maintenance=_text(i["Maintenance"]),
        is_draining=_flag(i["Draining"]),
        owner_status=_text(i["OwnerStatus"]),
        suspected_at=None if suspected_for is None else now - float(suspected_for),
        is_doubtful=_flag(i["Doubtful"]),
        epoch=_whole(i["Epoch"]),
        version=_whole(i["Version"]),
        learned_at=now - float(i["Age"]),
    )


def _read_service(s: Any) -> Service:
    """Return a service of another node: what is in it was judged there."""
    get = s.get
    tagged = get("tagged_addresses") or {}
    return Service(
        id=_text(s["id"]),
        name=_text(s["name"]),
        address=_text(get("address", "")),
        port=_whole(get("port", 0)),
        tags=_texts(get("tags", ())),
        meta=_text_map(get("meta") or {}),
        tagged_addresses={
            _text(label): (_text(one["address"]), _whole(one["port"]))
            for label, one in tagged.items()
        },
        weight=_whole(get("weight", 1)),
        warning_weight=_whole(get("warning_weight", 1)),
        zone=_text(get("zone", "")),
        needs=_texts(get("needs", ())),
    )


def _read_check(c: Any) -> CheckState:
    return CheckState(
        _text(c["ID"]), _text(c["Name"]), _text(c["Kind"]), _text(c["Status"]), _text(c["Output"])
    )


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError(f"text, but {value!r:.80}")
    return value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"a whole number, but {value!r:.80}")
    return value


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise TypeError(f"true or false, but {value!r:.80}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple([_text(item) for item in value])


def _text_map(value: Mapping[Any, Any]) -> dict[str, str]:
    return {_text(key): _text(item) for key, item in value.items()}
