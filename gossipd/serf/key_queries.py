"""Answers to the key queries (gossip.md, sections 17.1 and 18.1; texts as in rpc.md).

An operator who rotates keys waits for every live member, so a node that
cannot take part says so (result false) instead of staying silent: the rotation
then stops before an old key is removed anywhere. This node's keys are fixed
while it runs.
"""

from __future__ import annotations

from gossipd.errors import WireError
from gossipd.wire.internal_query_codec import decode_key_request_untrusted, encode_key_response
from gossipd.wire.serf_messages import KeyResponse

LIST_KEYS = "_serf_list-keys"
CHANGES = ("_serf_install-key", "_serf_use-key", "_serf_remove-key")
NOT_ENCRYPTED = "No keyring to modify (encryption not enabled)"
NOTHING_TO_LIST = "Keyring is empty (encryption not enabled)"
FIXED_KEYS = "this node does not rotate keys while it runs: restart it with the new keyring"


def answer_key_query_untrusted(name: str, payload: bytes | None, *, encrypted: bool) -> bytes:
    """Return the key response to the key query ``name``.

    Raises:
        WireError: a change without a payload, which nothing is answered to.
    """
    if name == LIST_KEYS:
        return encode_key_response(KeyResponse(False, FIXED_KEYS if encrypted else NOTHING_TO_LIST))
    if not payload:
        raise WireError("empty-key-query", name)
    if not encrypted:
        return encode_key_response(KeyResponse(False, NOT_ENCRYPTED))
    try:
        decode_key_request_untrusted(payload)
    except WireError as error:
        return encode_key_response(KeyResponse(False, f"the key request is not legal: {error}"))
    return encode_key_response(KeyResponse(False, FIXED_KEYS))
