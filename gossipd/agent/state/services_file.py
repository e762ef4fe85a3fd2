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
from gossipd.services.own import FROM_CONNECTION, OwnServices
from gossipd.services.saved import read_own_services, write_own_services
from gossipd.value import replace

FILE_BYTES_MAX = 64 * 1024 * 1024
FILE_MODE = 0o600
FORMAT = 1
DAMAGED = ".damaged"
"""Behind the name of a file that was set aside."""


def read_services(path: str) -> tuple[OwnServices | None, str]:
    """Return what the file at ``path`` remembers, ``None`` if that is nothing, and a remark.

    A file that cannot be used is set aside and told in the remark: the operator's own
    services are in the configuration, and a start is worth more than the rest.
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
        return read_own_services(fields), ""
    except (ValueError, RecursionError, UsageError) as error:
        aside = path + DAMAGED
        try:
            os.replace(path, aside)
        except OSError as failure:
            aside = f"nowhere ({reason_of(failure)})"
        return None, f"services file {path}: {error}; nothing is restored, it was put to {aside}"


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
