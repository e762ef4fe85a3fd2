"""``gossipd keygen``: a new encryption key."""

from __future__ import annotations

import os
import sys
from binascii import b2a_base64

from gossipd_cli import exits
from gossipd_cli.plain import JSON_OPTION, Command
from gossipd_cli.render import as_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

KEY_BYTES = 32


def _keygen(values: Mapping[str, Any]) -> int:
    key = b2a_base64(os.urandom(KEY_BYTES), newline=False).decode()
    sys.stdout.write(as_json({"key": key}) if values["json"] else f"{key}\n")
    return exits.DONE


KEYGEN = Command(
    "keygen",
    _keygen,
    help="Print a new encryption key: base64 of 32 random bytes (AES-256).",
    options=(JSON_OPTION,),
)
