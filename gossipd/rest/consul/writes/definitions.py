"""Definitions of services in Consul's words, as our own values (consul-http.md, section 10.1).

Rules and texts that clients know are here and, for checks, in ``definitions_checks.py``;
bounds that hold for every provider stay ``services.reading``'s, which makes the value.
"""

from __future__ import annotations

from gossipd.errors import UsageError
from gossipd.external_node import EXTERNAL_NODE
from gossipd.rest.consul.writes.bodies import Fields, is_blank, refused, shown_json
from gossipd.rest.consul.writes.definitions_checks import check_table, translated
from gossipd.services.definition import WEIGHT_MAX, Service
from gossipd.services.reading import read_service

META_MAX, META_KEY_MAX, META_VALUE_MAX = 64, 128, 512
PORT_MAX = 65_535
_META_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_EVERYWHERE = ("0.0.0.0", "::", "[::]")


def read_service_definition(fields: Fields, *, node: str, takes_scripts: bool) -> Service:
    """Return the service that a registration describes.

    Args:
        fields: of ``PUT /v1/agent/service/register``.
        node: name of this node.
        takes_scripts: whether this client may have commands run.

    Raises:
        Refused: 400 with the field and what would be taken.
    """
    name = fields.text("Name")
    if not name:
        raise refused("Missing service name")
    _refuse_mesh(fields)
    refuse_places(fields)
    service_id = fields.text("ID") or name
    table = place_table(fields) | {"id": service_id, "name": name}
    if EXTERNAL_NODE in fields.text_map("Meta"):
        # it would stand for another node's, which may have an agent
        text = f"Invalid Service Meta: {EXTERNAL_NODE}: that is for /v1/catalog/register"
        raise refused(text)
    fields.flag("EnableTagOverride")  # of the right type, and without a meaning here
    given = [] if is_blank(fields.raw("Check")) else [fields.one("Check")]
    given += fields.many("Checks")
    checks = []
    for index, check in enumerate(given):
        number = f":{index + 1}" if len(given) > 1 else ""
        checks.append(
            check_table(
                check,
                default_id=f"service:{service_id}{number}",
                default_name=f"Service '{name}' check",
                node=node,
                takes_scripts=takes_scripts,
            )
        )
    return made_service(table | ({"checks": checks} if checks else {}))


def place_table(fields: Fields) -> dict[str, object]:
    """Return what a service is and where, without id, name and checks, as our table."""
    address = fields.text("Address")
    if address in _EVERYWHERE:
        raise refused("Invalid service address")
    table: dict[str, object] = {
        "port": fields.whole("Port", 0, 0, PORT_MAX),
        "tags": [tag for tag in fields.texts("Tags") if tag],
        "meta": read_meta(fields, "Meta", "Service"),
        "tagged_addresses": _read_tagged(fields),
    }
    if address:
        table["address"] = address
    weights = fields.one("Weights")
    if weights:
        passing, warning = weights.raw("Passing"), weights.raw("Warning")
        if (passing, warning) != (0, 0):  # Go's zero value: nothing was said
            table["weight"] = _weight(weights, "Passing", 1)
            table["warning_weight"] = _weight(weights, "Warning", 0)
    return table


def made_service(table: dict[str, object]) -> Service:
    """Return the service of our table; its faults in the words of the API.

    Raises:
        Refused: 400, something is beyond what any provider may say.
    """
    try:
        return read_service(table)
    except UsageError as error:
        raise refused(translated(str(error))) from None


def read_meta(fields: Fields, field: str, whose: str) -> dict[str, str]:
    """Return metadata within Consul's bounds; ``whose`` is Service or Node."""
    meta = fields.text_map(field)
    head = f"Invalid {whose} Meta"
    if len(meta) > META_MAX:
        raise refused(f"{head}: {len(meta)} pairs, at most {META_MAX} are taken")
    for key, value in meta.items():
        if not key or len(key) > META_KEY_MAX:
            raise refused(f"{head}: keys have 1 to {META_KEY_MAX} characters")
        if not _META_KEY.issuperset(key):
            raise refused(f"{head}: key {shown_json(key)}: only A-Z, a-z, 0-9, _ and -")
        if len(value) > META_VALUE_MAX:
            raise refused(f"{head}: {key[:20]}: at most {META_VALUE_MAX} characters")
    return meta


def refuse_places(fields: Fields) -> None:
    """Refuse what names a namespace or partition: there are none.

    Raises:
        Refused: 400, other than ``default`` was said.
    """
    for field in ("Namespace", "Partition"):
        if fields.text(field) not in ("", "default"):
            raise refused(f"{field}: gossipd has none; leave it out, or say default")


def _refuse_mesh(fields: Fields) -> None:
    if fields.text("Kind"):
        raise refused("Kind: gossipd offers no service mesh; leave it out")
    for field in ("Connect", "Proxy"):
        if not is_blank(fields.raw(field)):
            raise refused(f"{field}: gossipd offers no service mesh; leave it out")
    if fields.text("SocketPath"):
        raise refused("SocketPath: services have an Address and a Port here")


def _weight(weights: Fields, field: str, low: int) -> int:
    value = weights.raw(field)
    if value is None:
        return 1
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= WEIGHT_MAX:
        raise refused(f"Invalid Weights: {field} must be within {low}..{WEIGHT_MAX}")
    return value


def _read_tagged(fields: Fields) -> dict[str, object]:
    found: dict[str, object] = {}
    for label, one in fields.named("TaggedAddresses").items():
        port = one.whole("Port", 0, 0, PORT_MAX)
        found[label] = {"address": one.text("Address"), "port": port}
    return found
