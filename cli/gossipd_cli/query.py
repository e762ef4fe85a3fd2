"""``gossipd query``: ask the cluster, and show the answers as they come."""

from __future__ import annotations

import sys
import time

from gossipd.errors import UsageError
from gossipd.query.replies import QueryOutcome
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.payload import (
    PAYLOAD_FILE_OPTION,
    payload_json,
    payload_text,
    read_payload,
)
from gossipd_cli.plain import (
    JSON_OPTION,
    SOCKET_OPTIONS,
    Argument,
    Command,
    Option,
    as_pairs,
)
from gossipd_cli.render import as_json, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gossipd.client.blocking import Client
    from gossipd.query.replies import QueryReply

RELAYS_MAX = 255


def _query(values: Mapping[str, Any]) -> int:
    name, nodes, tags = values["words"][0], values["node"], as_pairs(values["tag"])
    if values["relay_factor"] > RELAYS_MAX:
        raise UsageError(f"--relay-factor is at most {RELAYS_MAX}")
    payload = read_payload(values["words"], values["payload_file"])
    outcome, show = QueryOutcome(), not values["json"]
    with connect(values) as client:
        started = time.monotonic()
        replies = client.query(
            name,
            payload,
            nodes=nodes,
            tags=tags,
            wants_acks=not values["no_ack"],
            relay_factor=values["relay_factor"],
            timeout=values["timeout"],
            full_time=values["full_time"],
        )
        asked = _asked(client, nodes, tags)
        if show:
            _print(f"Query '{printable(name)}' dispatched")
        for reply in replies:
            outcome.add(reply)
            if show:
                _print(_as_text(reply))
        seconds = time.monotonic() - started
    silent = sorted(set(asked) - set(outcome.responses))
    if show:
        if not values["no_ack"]:
            _print(f"Total Acks: {len(outcome.acks)}")
        _print(f"Total Responses: {len(outcome.responses)}")
        _complain(name, nodes, asked, silent, outcome)
    else:
        _print_json(name, outcome, silent, seconds)
    return exits.DONE if outcome.responses else exits.FAILED


def _asked(client: Client, nodes: Sequence[str], tags: Mapping[str, str]) -> list[str]:
    """Return the names of the live members that the filters select, as this daemon knows them.

    Filters of queries are searched in a tag, those of members match it as a whole.
    """
    searched = {key: f"(?s:.*(?:{text}).*)" for key, text in tags.items()}
    found = client.members_filtered(status="alive", tags=searched)
    return [member.name for member in found if not nodes or member.name in nodes]


def _as_text(reply: QueryReply) -> str:
    node = printable(reply.node)
    if reply.kind == "ack":
        return f"Ack from '{node}'"
    lines = [printable(line) for line in payload_text(reply.payload).split("\n")]
    return f"Response from '{node}': " + "\n".join(lines)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _complain(
    name: str, nodes: Sequence[str], asked: list[str], silent: list[str], outcome: QueryOutcome
) -> None:
    unknown = sorted(set(nodes) - set(asked) - set(outcome.responses))
    if unknown:
        names = ", ".join([printable(node) for node in unknown])
        exits.complain(f"no live member is selected as: {names}")
    if not asked and not outcome.responses:
        exits.complain(f"nobody was asked {name!r}: no live member is selected by the filters")
    elif silent:
        names = ", ".join([printable(node) for node in silent])
        exits.complain(f"no answer from {len(silent)} of {len(asked)} live members: {names}")


def _print_json(name: str, outcome: QueryOutcome, silent: list[str], seconds: float) -> None:
    sys.stdout.write(
        as_json(
            {
                "query": name,
                "acks": sorted(outcome.acks),
                "responses": [
                    {"node": node, **payload_json(outcome.responses[node])}
                    for node in sorted(outcome.responses)
                ],
                "silent": silent,
                "seconds": round(seconds, 4),
            }
        )
    )


QUERY = Command(
    "query",
    _query,
    help="""Ask all members NAME, perhaps with PAYLOAD, and print acks and answers.

    A PAYLOAD of - is read from stdin. Name, payload and filters together may
    take 1024 bytes by default. Ends as soon as nobody is left who could
    answer. Exit code 1 if nobody answered; who did not is told on stderr.
    """,
    options=(
        PAYLOAD_FILE_OPTION,
        Option("--node", help="Ask only the node NAME; repeatable.", kind="repeat", metavar="NAME"),
        Option(
            "--tag",
            help="Ask only nodes in whose tag KEY the pattern is found; repeatable.",
            kind="pairs",
            metavar="KEY=REGEX",
        ),
        Option(
            "--timeout",
            help="Seconds for answers to come (default: by the cluster's size).",
            kind="number",
            metavar="SECONDS",
        ),
        Option("--no-ack", help="Do not ask for acks.", kind="flag"),
        Option(
            "--relay-factor",
            help="Send each reply over so many other members as well (0 to 255).",
            kind="count",
            metavar="N",
            default=0,
        ),
        Option("--full-time", help="Wait to the end even when all have answered.", kind="flag"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("words", "NAME [PAYLOAD]", 1, 2),
)
