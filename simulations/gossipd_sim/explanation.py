"""``Explanation``: why a host believed what it did of a member, as values.

Everything is in virtual seconds. ``explain.py`` makes these, ``telling.py``
writes them out for people, ``explanation_json`` for programs.
"""

from __future__ import annotations

from gossipd.value import Value, fields_of


class Fate(Value, kw_only=True):
    """One packet: who sent it to whom, and what became of it.

    ``arrived_at`` is ``None`` for one that did not arrive; then ``lost`` says why
    (empty: still on its way at the end). ``found``: what kept the receiver from
    handling it, empty if nothing did.
    """

    source: str
    target: str
    sent_at: float
    arrived_at: float | None = None
    lost: str = ""
    found: str = ""

    @property
    def is_handled(self) -> bool:
        """Whether it arrived at a host that was well."""
        return self.arrived_at is not None and not self.found


class Helper(Value, kw_only=True):
    """What one helper did for a ping-req; ``answer`` is ``ack``, ``nack`` or empty."""

    name: str
    asked: Fate
    pinged: Fate | None
    acked: Fate | None
    answer: str
    answered: Fate | None


class Probe(Value, kw_only=True):
    """A probe round that got no ack; ``ping`` is ``None`` if it never left the prober."""

    prober: str
    started_at: float
    over_at: float
    ping: Fate | None
    acks: tuple[Fate, ...]
    helpers: tuple[Helper, ...]
    stream_at: float | None
    stream: str
    """What became of the ping by TCP, and when it was dialled; empty if there was none."""


class Hop(Value, kw_only=True):
    """A claim on its way from one host to another, by ``packet`` or by ``push/pull``.

    ``found``: what kept it waiting between ``arrived_at`` and ``handled_at``.
    ``is_damaged``: a bit was turned on the way and nobody noticed; ``sent_at`` is
    then not known better than ``arrived_at``.
    """

    by: str
    source: str
    target: str
    sent_at: float
    arrived_at: float
    handled_at: float
    found: str = ""
    is_damaged: bool = False


class Route(Value, kw_only=True):
    """A claim from where it was made to where it was heard.

    ``origin``: ``probe`` (a round got no ack), ``expiry`` (a suspicion ran out),
    ``member`` (it said so itself), ``damaged`` (a bit was turned on the way and nobody
    noticed), ``forged`` (from no host), ``formed`` (the host
    began its life knowing it) or ``unknown``.
    """

    claim: str
    accuser: str
    incarnation: int
    host: str
    made_at: float
    origin: str
    probe: Probe | None
    hops: tuple[Hop, ...]


class Accusation(Value, kw_only=True):
    """One that counted: when it was heard, and the deadline from then on."""

    accuser: str
    heard_at: float
    confirmations: int
    deadline: float
    route: Route


class Suspicion(Value, kw_only=True):
    """A suspicion at ``host``; ``over_at`` is when it ended there, ``None`` if it did not.

    ``outcome``: what was believed then: ``dead``, ``refuted``, ``left``; empty if it goes on.
    ``ran_out``: whether its own deadline ended it.
    """

    host: str
    since: float
    over_at: float | None
    outcome: str
    ran_out: bool
    accusations: tuple[Accusation, ...]


class Refutation(Value, kw_only=True):
    """What the member made of it.

    ``told``: accusations that were sent to it until then, by what became of
    them. ``answered_at``: its first answer above the accused incarnation;
    ``reached_at``: when that came to the ``decider``, which ``decided_at`` then
    (``None``: not yet).
    """

    told: tuple[tuple[str, int], ...]
    answered_at: float | None
    incarnation: int | None
    decider: str
    decided_at: float | None
    reached_at: float | None

    @property
    def is_in_time(self) -> bool:
        """Whether it was the answer that decided."""
        return self.reached_at is not None and self.reached_at == self.decided_at


class Moment(Value, kw_only=True):
    """One change of what the host believed of the member."""

    at: float
    kind: str
    incarnation: int
    accuser: str
    reality: str


class Explanation(Value, kw_only=True):
    """Why ``at`` believed at ``when`` that ``member`` is ``belief``.

    ``since``: when it came to believe that, ``None`` if it never heard of it.
    ``reality``: what was really with the member then. ``faults``: what was done
    to the cluster until then. ``broke``: how the run broke, if it did.
    """

    scenario: str
    seed: int
    member: str
    at: str
    when: float
    belief: str
    since: float | None
    incarnation: int
    reality: str
    route: Route | None
    suspicion: Suspicion | None
    refutation: Refutation | None
    history: tuple[Moment, ...]
    faults: tuple[tuple[float, str], ...]
    broke: str = ""


def explanation_json(value: object) -> object:
    """Return ``value`` as JSON holds it: objects, lists and plain values, times rounded."""
    if isinstance(value, Value):
        return {name: explanation_json(getattr(value, name)) for name in fields_of(value)}
    if isinstance(value, tuple):
        return [explanation_json(one) for one in value]
    if isinstance(value, float):
        return round(value, 6)
    return value
