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
    OWNER_ALIVE,
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
    """Return one instance. Written flat: a lookup spends most of its time here."""
    get = i.get
    owner, owner_address, status = i["Owner"], i["OwnerAddress"], i["Status"]
    owner_status, zone = get("OwnerStatus", OWNER_ALIVE), get("Zone", "")
    maintenance = get("Maintenance", "")
    weight, epoch, version = i["Weight"], i["Epoch"], i["Version"]
    is_draining, is_doubtful = get("Draining", False), get("Doubtful", False)
    _all_text((owner, owner_address, owner_status, status, zone, maintenance))
    if not (
        type(weight) is type(epoch) is type(version) is int
        and type(is_draining) is type(is_doubtful) is bool
    ):
        for number in (weight, epoch, version):
            _whole(number)
        for flag in (is_draining, is_doubtful):
            _flag(flag)
    checks, load, suspected_for = get("Checks"), get("Load"), get("SuspectedFor")
    return Instance(
        owner=owner,
        owner_address=owner_address,
        service=_read_service(i["Service"]),
        status=status,
        checks=tuple([_read_check(check) for check in checks]) if checks else (),
        weight=weight,
        load=None if load is None else float(load),
        zone=zone,
        maintenance=maintenance,
        is_draining=is_draining,
        owner_status=owner_status,
        suspected_at=None if suspected_for is None else now - float(suspected_for),
        is_doubtful=is_doubtful,
        epoch=epoch,
        version=version,
        learned_at=now - float(i["Age"]),
    )


def _read_service(s: Any) -> Service:
    """Return a service of another node: what is in it was judged there."""
    get = s.get
    id, name, address, zone = s["id"], s["name"], get("address", ""), get("zone", "")
    _all_text((id, name, address, zone))
    port, weight = get("port", 0), get("weight", 1)
    warning_weight = get("warning_weight", 1)
    if not type(port) is type(weight) is type(warning_weight) is int:
        for number in (port, weight, warning_weight):
            _whole(number)
    tagged, needs, meta = get("tagged_addresses"), get("needs"), get("meta")
    return Service(
        id=id,
        name=name,
        address=address,
        port=port,
        tags=_texts(get("tags", ())),
        meta=_text_map(meta) if meta else {},
        tagged_addresses=_read_tagged(tagged) if tagged else {},
        weight=weight,
        warning_weight=warning_weight,
        zone=zone,
        needs=_texts(needs) if needs else (),
    )


def _read_tagged(tagged: Any) -> dict[str, tuple[str, int]]:
    return {
        _text(label): (_text(one["address"]), _whole(one["port"])) for label, one in tagged.items()
    }


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


def _all_text(values: Any) -> None:
    """Raise ``TypeError`` unless all ``values`` are text: joining them looks at each in C."""
    "".join(values)


def _texts(value: Any) -> tuple[str, ...]:
    if type(value) is str:
        raise TypeError(f"a list, but {value!r:.80}")
    texts = tuple(value)
    _all_text(texts)
    return texts


def _text_map(value: Mapping[Any, Any]) -> dict[str, str]:
    """Return ``value``, which the reader of the bytes made for us, if all of it is text."""
    _all_text(value.keys())
    _all_text(value.values())
    return value if type(value) is dict else dict(value)
