"""Every number of ours that has a name is one that the cores really count."""

from __future__ import annotations

from gossipd.catalog import catalog, gaps, refutation, spreading, syncing
from gossipd.metrics import names
from gossipd.node import readings, sessions
from gossipd.node.statistics import Statistics
from gossipd.serf import announcing, asking, inquiries, members, upkeep
from gossipd.serf.events import ChangeKind
from gossipd.swim import claims, gossiper, prober
from gossipd.value import fields_of

COUNTED = {
    claims.ALIVE_ADOPTED, claims.SUSPECT_ADOPTED, claims.DEAD_ADOPTED,
    claims.SUSPICION_UNCONFIRMED, claims.SUSPICION_RAISED, claims.SUSPICION_CONFIRMED,
    claims.SUSPICION_REFUTED, claims.ACCUSATION_REFUTED, prober.PROBE_MISSED,
    prober.PROBE_FAILED, catalog.SAME, catalog.DIFFERENT, prober.ROUND_STRETCHED,
    gossiper.GOSSIP_TICK,
    members.FLAP, *(kind.value for kind in ChangeKind),
    asking.QUERY_ACK, asking.QUERY_ANSWER, asking.DUPLICATE_ACK, asking.DUPLICATE_ANSWER,
    announcing.EVENT_TAKEN, inquiries.QUERY_TAKEN,
    catalog.RECEIVED, syncing.SYNCS, refutation.REFUTATIONS, syncing.BYTES_SYNC, gaps.WISHES,
    spreading.BYTES_NEWS,
    sessions.STREAM_ACCEPTED, sessions.STREAM_OPENED, readings.ZERO_RTT,
}  # fmt: skip
MEASURED = {
    prober.PROBE_ROUND, sessions.EXCHANGE, upkeep.MESSAGE_SENT, upkeep.MESSAGE_RECEIVED,
    readings.COORDINATE_MOVED, gaps.GAP,
}  # fmt: skip


def test_what_the_cores_count_and_measure_has_a_name_each() -> None:
    assert set(names.HAPPENED) == COUNTED - {gossiper.GOSSIP_TICK}  # which is timed instead
    assert set(names.MEASURED) == MEASURED


def test_gauges_and_depths_are_fields() -> None:
    assert {*names.GAUGES, *names.DEPTHS, *names.BYTES} <= set(fields_of(Statistics))


def test_reasons_for_which_coordinates_are_refused_are_known_by_their_beginning() -> None:
    assert readings.COORDINATE_REFUSED == names.COORDINATE_REFUSED
