"""``gossipd keys`` and ``keygen``: the cluster's encryption keys, and new ones."""

from __future__ import annotations

import os
import sys
from binascii import b2a_base64

from gossipd.client.connection import KeysRefused
from gossipd.errors import UsageError, WireError
from gossipd.query.key_text import KEY_BYTES, decode_key_untrusted
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Argument, Command, Option
from gossipd_cli.render import as_json, printable, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gossipd.client.blocking import Client
    from gossipd.query.replies import KeysReply

ACTIONS = {
    "install": "Successfully installed key!",
    "use": "Successfully changed primary key!",
    "remove": "Successfully removed key!",
}
"""What can be done with a key, and what is said when all members did it."""


def _keys(values: Mapping[str, Any]) -> int:
    action, key = _wanted(values)
    error = ""
    with connect(values) as client:
        try:
            reply = _do(client, action, key)
        except KeysRefused as refused:
            error, reply = str(refused), refused.reply
    if values["json"]:
        sys.stdout.write(as_json(_as_json(action, reply, error)))
    elif action == "list":
        sys.stdout.write(_as_table(reply))
    elif not error:
        sys.stdout.write(f"{ACTIONS[action]}  [{reply.responses}/{reply.nodes}]\n")
    sys.stdout.flush()
    if not values["json"]:  # also without an error: a list may be too long for a packet
        for node in sorted(reply.messages):
            exits.complain(f"{node}: {reply.messages[node]}")
    if not error:
        return exits.DONE
    exits.complain(f"cannot {action} {'keys' if action == 'list' else 'the key'}: {error}")
    return exits.FAILED


def _wanted(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return what is to be done, and with which key.

    Raises:
        UsageError: that is not one thing, or the key is none.
    """
    wishes = [(action, values[action]) for action in ACTIONS if values[action] is not None]
    if values["list"]:
        wishes.append(("list", ""))
    words = values["words"]
    if words:
        wishes.append((words[0], words[1] if len(words) > 1 else ""))
    if len(wishes) != 1:
        raise UsageError("say one of: keys list, keys install KEY, keys use KEY, keys remove KEY")
    action, key = wishes[0]
    if action == "list":
        if key:
            raise UsageError("keys list takes no KEY")
        return action, ""
    if action not in ACTIONS:
        raise UsageError(f"{action!r} is not one of list, install, use, remove")
    if not key:
        raise UsageError(f"keys {action} needs a KEY; 'gossipd keygen' makes one")
    _check(key)
    return action, key


def _check(text: str) -> None:
    """Refuse a key that no member would take.

    Raises:
        UsageError: it is no base64, or of a wrong length.
    """
    try:
        key = decode_key_untrusted(text)
    except WireError as error:
        raise UsageError(f"the key is no base64: {error.detail}") from None
    if len(key) not in KEY_BYTES:
        lengths = ", ".join([str(length) for length in KEY_BYTES])
        raise UsageError(f"the key has {len(key)} bytes; it must have one of {lengths}")


def _do(client: Client, action: str, key: str) -> KeysReply:
    match action:
        case "install":
            return client.install_key(key)
        case "use":
            return client.use_key(key)
        case "remove":
            return client.remove_key(key)
    return client.list_keys()


def _as_table(reply: KeysReply) -> str:
    """Return a line for each key: how many nodes have it, and if they encrypt with it."""
    rows = []
    for key in sorted(reply.keys, key=lambda key: (-reply.primary_keys.get(key, 0), key)):
        primary = reply.primary_keys.get(key, 0)
        mark = ""
        if primary:
            mark = "primary" if primary == reply.nodes else f"primary on {primary}/{reply.nodes}"
        rows.append([printable(key), f"[{reply.keys[key]}/{reply.nodes}]", mark])
    return table(rows)


def _as_json(action: str, reply: KeysReply, error: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "action": action,
        "nodes": reply.nodes,
        "responses": reply.responses,
        "errors": reply.errors,
        "messages": dict(sorted(reply.messages.items())),
    }
    if action == "list":
        shown["keys"] = [
            {"key": key, "nodes": reply.keys[key], "primary_on": reply.primary_keys.get(key, 0)}
            for key in sorted(reply.keys)
        ]
    if error:
        shown["error"] = error
    return shown


KEYS = Command(
    "keys",
    _keys,
    help="""List, install, use or remove encryption keys on all members.

    \b
    keys list          which keys members have; the primary one is marked
    keys install KEY   members can read with KEY from now on
    keys use KEY       members encrypt with KEY (it must be installed)
    keys remove KEY    members forget KEY (it must not be the primary one)

    Exit code 1 if not all members did it; who did not is told on stderr.
    """,
    options=(
        Option("--list", help="As 'keys list'.", kind="flag"),
        Option("--install", help="As 'keys install KEY'.", metavar="KEY"),
        Option("--use", help="As 'keys use KEY'.", metavar="KEY"),
        Option("--remove", help="As 'keys remove KEY'.", metavar="KEY"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument(
        "words", "[list|install|use|remove] [KEY]", 0, 2, ("list", "install", "use", "remove")
    ),
)

NEW_KEY_BYTES = 32


def _keygen(values: Mapping[str, Any]) -> int:
    key = b2a_base64(os.urandom(NEW_KEY_BYTES), newline=False).decode()
    sys.stdout.write(as_json({"key": key}) if values["json"] else f"{key}\n")
    return exits.DONE


KEYGEN = Command(
    "keygen",
    _keygen,
    help="Print a new encryption key: base64 of 32 random bytes (AES-256).",
    options=(JSON_OPTION,),
)
