"""Queries that HAProxy, dig, Prometheus and Go sent, answered as the server that they accepted.

The recorded replies came from a small server with three instances of ``web`` (and, in
two of them, with 59 and replies of 512 bytes).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import pytest

from gossipd.config.faces import DnsConfig
from support.dns_face import DnsFace, rcode, texts

VECTORS = Path(__file__).parent / "vectors" / "consul" / "dns.jsonl"
RECORDED = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]


def face_of(recorded: dict[str, Any]) -> DnsFace:
    face = DnsFace(DnsConfig(payload_max=8192))
    if "59 instances" in recorded["client"]:
        face.show_many(59)
        return face
    for last, weight, port in ((61, 10, 9001), (71, 5, 9002), (72, 1, 9003)):
        face.show("a", "web", f"web-{port}", address=f"127.0.0.{last}", weight=weight, port=port)
    return face


@pytest.mark.parametrize(
    "recorded", RECORDED, ids=[f"{n}-{one['name']}{one['type']}" for n, one in enumerate(RECORDED)]
)
def test_a_recorded_query_is_answered_as_its_client_accepted(recorded: dict[str, Any]) -> None:
    query = bytes.fromhex(recorded["query_hex"])
    theirs = dns.message.from_wire(bytes.fromhex(recorded["reply_hex"]))
    message = face_of(recorded).send(query, tcp=recorded["net"] == "tcp")
    assert isinstance(message, bytes)
    ours = dns.message.from_wire(message)
    assert (ours.id, rcode(ours)) == (theirs.id, recorded["rcode"])
    assert ours.question == theirs.question
    shown = dns.flags.QR | dns.flags.AA | dns.flags.RD | dns.flags.RA
    assert ours.flags & shown == theirs.flags & shown
    assert ours.edns == theirs.edns
    if recorded["type"] == "ANY":
        assert len(texts(ours)) == 3  # that server knew no ANY
        return
    if "59 instances" in recorded["client"]:
        assert bool(ours.flags & dns.flags.TC) == recorded["tc"]
        assert len(texts(ours)) >= recorded["answers"]
        assert len(texts(ours, "additional")) >= recorded["extra"]
        return
    assert sorted(texts(ours)) == sorted(texts(theirs))
    assert [line.split()[:3] for line in texts(ours, "authority")] == [
        line.split()[:3] for line in texts(theirs, "authority")
    ]
    if "additional absent" not in recorded["client"]:
        assert sorted(texts(ours, "additional")) == sorted(texts(theirs, "additional"))
