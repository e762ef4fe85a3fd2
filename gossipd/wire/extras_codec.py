"""What gossipd says in messages of Serf beside Serf's own fields (gossip.md, section 22).

It stands under one key that sorts last, ``Zgossipd``. Real nodes skip the key, and
pass it on with the message's bytes; in a push/pull they leave it out. In a query it is a
number (``Query.features``), in a user event a map with ``From``, ``Nodes`` and
``Tags``, each left out when empty. Unknown keys of that map are skipped.
"""

from __future__ import annotations

from typing import Final

from gossipd.errors import WireError
from gossipd.wire.dialect import Fields, list_untrusted, text_untrusted
from gossipd.wire.reasons import MALFORMED, TOO_LARGE
from gossipd.wire.serf_messages import EventExtras

OURS: Final = "Zgossipd"
OURS_RAW: Final = OURS.encode()
EXPRESSIONS_MAX: Final = 128
"""Tag expressions of one event."""


def extras_fields(extras: EventExtras) -> dict[str, object]:
    """Return the map of ``extras``, to be packed."""
    fields: dict[str, object] = {}
    if extras.sender:
        fields["From"] = extras.sender
    if extras.nodes:
        fields["Nodes"] = extras.nodes
    if extras.tags:
        fields["Tags"] = dict(extras.tags)
    return fields


def extras_untrusted(fields: Fields) -> EventExtras | None:
    """Return the extras in the decoded ``fields`` of an event; ``None`` if it has none.

    Raises:
        WireError: they are not what ``extras_fields`` makes, or too many.
    """
    said = fields.get(OURS_RAW)
    if said is None:
        return None
    if type(said) is not dict:
        raise WireError(MALFORMED, "what gossipd says in an event is no map")
    tags = said.get(b"Tags")
    if tags is None:
        tags = {}
    if type(tags) is not dict:
        raise WireError(MALFORMED, "the tags of an event are no map")
    if len(tags) > EXPRESSIONS_MAX:
        raise WireError(TOO_LARGE, f"{len(tags)} tag expressions exceed {EXPRESSIONS_MAX}")
    return EventExtras(
        sender=text_untrusted(said, b"From"),
        nodes=tuple([_text_untrusted(name) for name in list_untrusted(said, b"Nodes")]),
        tags=tuple([(_text_untrusted(tag), _text_untrusted(text)) for tag, text in tags.items()]),
    )


def _text_untrusted(value: object) -> str:
    if type(value) is bytes:
        return value.decode("utf-8", "surrogateescape")
    raise WireError(MALFORMED, f"text is expected, {type(value).__name__} came")
