"""The file of ``data_dir`` that remembers what clients registered, and how checks were.

JSON in the form of ``services/saved.py``. Services of the configuration are in it
for the last state of their checks alone; those held by a connection are not, for
their connections are gone.
"""

from __future__ import annotations

import os

from gossipd.agent.state.durable import read_file, replace_file
from gossipd.agent.system_errors import reason_of
from gossipd.errors import UsageError
from gossipd.services.definition import NodeState
from gossipd.services.own import FROM_CONNECTION, OwnService, OwnServices
from gossipd.services.saved import read_own_services, write_own_services
from gossipd.value import replace

FILE_BYTES_MAX = 64 * 1024 * 1024
FILE_MODE = 0o600
FORMAT = 1
DAMAGED = ".damaged"
"""Behind the name of a file that was set aside."""


def read_services(path: str) -> tuple[OwnServices | None, str]:
    """Return what the file at ``path`` remembers, ``None`` if that is nothing, and a remark.

    Of a file that is spoilt in part the rest is taken, and the whole is set aside; both are
    told in the remark: a start is worth more than one service.
    """
    import json  # only a daemon that has such a file needs it

    try:
        data = read_file(path, FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"services file {path}: {reason_of(error)}; nothing is restored"
    try:
        if len(data) > FILE_BYTES_MAX:
            raise ValueError(f"larger than {FILE_BYTES_MAX} bytes")
        fields = json.loads(data)
        if not isinstance(fields, dict) or fields.get("format") != FORMAT:
            raise ValueError(f"it is not of format {FORMAT}")
        found, faults = _read_all(fields)
    except (ValueError, RecursionError, UsageError) as error:
        return None, f"services file {path}: {error}; nothing is restored, {_set_aside(path)}"
    if not faults:
        return found, ""
    lost = f"{len(faults)} of its entries are not restored"
    return found, f"services file {path}: {faults[0]}; {lost}, {_copy_aside(path, data)}"


def _read_all(fields: dict[str, object]) -> tuple[OwnServices, list[str]]:
    """Return what can be read, and what is wrong with the rest.

    Raises:
        UsageError: not even services can be told apart.
    """
    try:
        return read_own_services(fields), []
    except UsageError:
        return _read_each(fields)


def _read_each(fields: dict[str, object]) -> tuple[OwnServices, list[str]]:
    services: list[OwnService] = []
    faults: list[str] = []
    node = NodeState()
    try:
        node = read_own_services({"node": fields.get("node")}).node
    except UsageError as error:
        faults.append(str(error))
    listed = fields.get("services")
    if not isinstance(listed, list):
        raise UsageError("services: it is not a list")
    for index, one in enumerate(listed):
        try:
            services += read_own_services({"services": [one]}).services
        except UsageError as error:
            faults.append(str(error).replace("services[0]", f"services[{index}]", 1))
    return OwnServices(node=node, services=tuple(services)), faults


def _set_aside(path: str) -> str:
    try:
        os.replace(path, path + DAMAGED)
    except OSError as error:
        return f"it was put to nowhere ({reason_of(error)})"
    return f"it was put to {path}{DAMAGED}"


def _copy_aside(path: str, data: bytes) -> str:
    try:
        replace_file(path + DAMAGED, data, FILE_MODE)
    except OSError as error:
        return f"it was copied to nowhere ({reason_of(error)})"
    return f"it was copied to {path}{DAMAGED}"


def encoded(own: OwnServices) -> bytes:
    """Return what the file has to hold of ``own``."""
    import json

    kept = tuple(one for one in own.services if one.source != FROM_CONNECTION)
    table = {"format": FORMAT, **write_own_services(replace(own, services=kept))}
    return json.dumps(table, indent=1).encode() + b"\n"


def write_services(path: str, data: bytes) -> None:
    """Put ``data`` into the file at ``path``; blocks until it is on disk.

    Raises:
        OSError: the file is as it was.
    """
    replace_file(path, data, FILE_MODE)
