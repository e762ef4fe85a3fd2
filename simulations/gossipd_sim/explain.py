"""Why was a member declared dead there: from what was recorded back to the root.

``explain`` runs a scenario with a recorder; ``walk_back`` is a pure function
of what was recorded. Both give the same each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from gossipd.value import replace
from gossipd.wire.messages import Alive, Dead, Suspect
from gossipd_sim.cluster import Cluster
from gossipd_sim.errors import ScenarioError
from gossipd_sim.evidence import (
    CLAIMS,
    NOWHERE,
    Basis,
    Belief,
    Born,
    Expiry,
    Flight,
    Kind,
    Own,
    Round,
    Sync,
    says,
)
from gossipd_sim.explanation import (
    Accusation,
    Explanation,
    Hop,
    Moment,
    Refutation,
    Route,
    Suspicion,
)
from gossipd_sim.main import broken_run
from gossipd_sim.provenance import Provenance
from gossipd_sim.rehearsal import run_telling
from gossipd_sim.scenario import Scenario
from gossipd_sim.stories import hop_of, outcome_of, probe_of, sync_hop_of
from gossipd_sim.tables import nearest

NOTHING = "nothing: it never heard of it"
HOPS_MAX = 1000
ACCUSING = (Kind.SUSPECTED, Kind.CONFIRMED, Kind.FAILED)
AFFIRMING = (Kind.JOINED, Kind.UPDATED, Kind.REFUTED)


def explain(
    scenario: Scenario,
    seed: int,
    member: str,
    at: str,
    when: float | None = None,
    advance: Callable[[float, str], None] | None = None,
) -> Explanation:
    """Run ``scenario`` and explain what ``at`` believed of ``member``.

    Args:
        at: a host; hosts are named as in the scenario, members as they call themselves.
        when: the moment of interest; by default the last death that was declared
            there, else the last suspicion, else the end.
        advance: told the share of the way done since the last call.

    Raises:
        ScenarioError: there is no such member or host.
    """
    # packets by reference can be told apart, and by wire it would be the same run
    cluster = Cluster(replace(scenario, by_wire=False), seed)
    _check_name("--at", at, cluster.hosts)
    record = Provenance(cluster, member)
    broke = ""
    try:
        run_telling(cluster, advance)
    except Exception as error:  # a defect of the code: what was seen until then still counts
        broke = broken_run(error, cluster.world.now).text
    if not record.beliefs:
        _check_name("--member", member, [host.config.name for host in cluster.hosts.values()])
    return walk_back(record, scenario.name, seed, at, when, cluster.world.now, broke)


def walk_back(
    record: Provenance,
    scenario: str,
    seed: int,
    at: str,
    when: float | None,
    end: float,
    broke: str = "",
) -> Explanation:
    """Return why ``at`` believed what it did of the recorded member; see ``explain``.

    Args:
        end: when the record ends, in seconds.
    """
    beliefs = record.beliefs.get(at, [])
    belief = _of_interest(beliefs, when)
    moment = when if when is not None else belief.at if belief is not None else end
    history = tuple(
        Moment(
            at=one.at,
            kind=one.kind.value,
            incarnation=one.incarnation,
            accuser=one.accuser,
            reality=one.reality,
        )
        for one in beliefs
    )
    faults = tuple((since, text) for since, text in record.faults if since <= moment)
    walk = _Walk(record)
    route = suspicion = refutation = None
    if belief is not None:
        route = walk.route(belief)
        suspicion = walk.suspicion(belief, route)
        if suspicion is not None and belief.kind is not Kind.REFUTED:
            refutation = walk.refutation(suspicion, belief, end)
    return Explanation(
        scenario=scenario,
        seed=seed,
        member=record.member,
        at=at,
        when=moment,
        belief=belief.kind.value if belief is not None else NOTHING,
        since=belief.at if belief is not None else None,
        incarnation=belief.incarnation if belief is not None else 0,
        reality=belief.reality if belief is not None else "",
        route=route,
        suspicion=suspicion,
        refutation=refutation,
        history=history,
        faults=faults,
        broke=broke,
    )


def _check_name(option: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name not in names:
        hint = nearest(name, names) or f"; they are {names[0]} to {names[-1]}"
        raise ScenarioError(f"{option}: there is no {name!r}{hint}")


def _of_interest(beliefs: list[Belief], when: float | None) -> Belief | None:
    """Return the belief that held at ``when``, or the gravest one."""
    if when is not None:
        return next((one for one in reversed(beliefs) if one.at <= when), None)
    for kinds in ((Kind.FAILED,), (Kind.LEFT,), (Kind.SUSPECTED,), tuple(Kind)):
        for one in reversed(beliefs):
            if one.kind in kinds:
                return one
    return None


class _Walk:
    """Follows claims back through what was recorded."""

    def __init__(self, record: Provenance) -> None:
        self._record = record

    def route(self, belief: Belief) -> Route:
        """Return the way of the claim behind ``belief``, back to where it was made."""
        hops: list[Hop] = []
        current, basis, host, made_at = belief, belief.basis, belief.host, belief.at
        claim = CLAIMS.get(belief.kind, "")
        is_damaged = False
        while isinstance(basis, Flight | Sync) and len(hops) < HOPS_MAX:
            prior: Belief | None
            if isinstance(basis, Flight):
                hops.append(hop_of(basis, current))
                host = basis.sender
                prior = self._said(basis, claim, current)
            else:
                hops.append(sync_hop_of(basis, current))
                host = basis.source
                prior = self._shown(basis, current)
            if prior is None:
                is_damaged = isinstance(basis, Flight) and basis.is_damaged
                basis, made_at = None, self._said_at(host, current, hops[-1].sent_at)
            else:
                current, basis, made_at = prior, prior.basis, prior.at
                claim = CLAIMS.get(current.kind, claim)
        return Route(
            claim=claim,
            accuser=current.accuser,
            incarnation=current.incarnation,
            host=host,
            made_at=made_at,
            origin="damaged" if is_damaged else self._origin(basis, host),
            probe=probe_of(basis, made_at) if isinstance(basis, Round) else None,
            hops=tuple(reversed(hops)),
        )

    def suspicion(self, belief: Belief, route: Route) -> Suspicion | None:
        """Return the suspicion that ``belief`` came of, was, or ended."""
        host, until = belief.host, belief.at
        if belief.kind is Kind.FAILED:
            if route.origin != "expiry":
                return None
            host, until = route.host, route.made_at
        elif belief.kind not in (Kind.SUSPECTED, Kind.CONFIRMED, Kind.REFUTED):
            return None
        return self._suspicion_at(host, until)

    def _suspicion_at(self, host: str, until: float) -> Suspicion | None:
        """Return the last suspicion that began at ``host`` by ``until``."""
        beliefs = self._record.beliefs.get(host, [])
        begins = [
            index
            for index, one in enumerate(beliefs)
            if one.kind is Kind.SUSPECTED and one.at <= until
        ]
        if not begins:
            return None
        first, *later = beliefs[begins[-1] :]
        counted, end = [first], None
        for one in later:
            if one.kind is not Kind.CONFIRMED:
                end = one
                break
            counted.append(one)
        accusations = tuple(
            Accusation(
                accuser=one.accuser,
                heard_at=one.at,
                confirmations=one.confirmations,
                deadline=one.deadline if one.deadline is not None else one.at,
                route=self.route(one),
            )
            for one in counted
        )
        return Suspicion(
            host=host,
            since=first.at,
            over_at=None if end is None else end.at,
            outcome="" if end is None else end.kind.value,
            ran_out=end is not None and isinstance(end.basis, Expiry),
            accusations=accusations,
        )

    def refutation(self, suspicion: Suspicion, belief: Belief, end: float) -> Refutation:
        """Return what the member did about the accusations, and why it was not in time."""
        record = self._record
        begin = min(one.route.made_at for one in suspicion.accusations)
        until = suspicion.over_at if suspicion.over_at is not None else end
        told = Counter(
            outcome_of(flight)
            for flight in record.flights
            if begin <= flight.sent_at <= until
            and self._record.is_bearer(flight.target)
            and any(isinstance(one, Suspect | Dead) for one in flight.messages)
        )
        answer = next(
            (
                one
                for one in record.answers
                if one.incarnation > belief.incarnation and one.at >= begin
            ),
            None,
        )
        reached_at = None
        if answer is not None:
            reached_at = self._first_heard(suspicion.host, answer.incarnation, answer.at)
        return Refutation(
            told=tuple(sorted(told.items())),
            answered_at=answer.at if answer is not None else None,
            incarnation=answer.incarnation if answer is not None else None,
            decider=suspicion.host,
            decided_at=suspicion.over_at,
            reached_at=reached_at,
        )

    # -- one step back -----------------------------------------------------------------

    def _said(self, flight: Flight, claim: str, current: Belief) -> Belief | None:
        """Return what the sender of ``flight`` believed that made it say the claim."""
        is_alive, by = claim == "alive", current.accuser
        is_own = is_alive or current.kind is Kind.LEFT
        if flight.sender == NOWHERE or (is_own and self._record.is_bearer(flight.sender)):
            return None
        claimed = max(
            one.incarnation
            for one in flight.messages
            if isinstance(one, Alive | Suspect | Dead)
            and says(one, claim, current.incarnation, by, or_above=True)
        )
        before = [
            one for one in self._record.beliefs.get(flight.sender, []) if one.at <= flight.sent_at
        ]
        for one in reversed(before):
            if CLAIMS.get(one.kind) != claim:
                continue
            if is_alive and one.incarnation == current.incarnation:
                return one
            if not is_alive and one.accuser == by and one.incarnation <= claimed:
                return one
        if is_alive:
            return self._passed_on(flight, current)
        # a ping of a suspect carries an accusation in the prober's own name
        return next((one for one in reversed(before) if one.kind in ACCUSING), None)

    def _passed_on(self, flight: Flight, current: Belief) -> Belief | None:
        """Return how its sender heard that the member is alive, which changed no belief of its."""
        host, incarnation = flight.sender, current.incarnation
        for heard in self._record.arrivals.get(host, ()):
            at = heard.arrived_at
            if at is None or at > flight.sent_at:
                break
            if any(says(one, "alive", incarnation, "") for one in heard.messages):
                return replace(current, host=host, at=at, basis=heard)
        for sync in reversed(self._record.syncs.get(host, [])):
            if sync.at <= flight.sent_at:
                return replace(current, host=host, at=sync.at, basis=sync)
        return None

    def _shown(self, sync: Sync, current: Belief) -> Belief | None:
        """Return what the sender of a state believed that ``current`` came of."""
        if self._record.is_bearer(sync.source) and current.kind in AFFIRMING:
            return None
        kinds: tuple[Kind, ...] = AFFIRMING if current.kind in AFFIRMING else ACCUSING
        if current.kind is Kind.LEFT:
            kinds = (Kind.LEFT,)
        for one in reversed(self._record.beliefs.get(sync.source, [])):
            if one.at <= sync.at and one.kind in kinds:
                return one
        return None

    def _said_at(self, host: str, heard: Belief, sent_at: float) -> float:
        """Return when the member gave the answer that was sent at ``sent_at``, if it was one."""
        for answer in self._record.answers:
            if answer.host == host and answer.incarnation == heard.incarnation:
                return answer.at
        return sent_at

    def _origin(self, basis: Basis, host: str) -> str:
        if isinstance(basis, Round):
            return "probe"
        if isinstance(basis, Expiry):
            return "expiry"
        if isinstance(basis, Born):
            return "formed"
        if host == NOWHERE:
            return "forged"
        is_own = isinstance(basis, Own) or self._record.is_bearer(host)
        return "member" if is_own else "unknown"

    def _first_heard(self, host: str, incarnation: int, since: float) -> float | None:
        """Return when ``host`` was first told that the member is alive with ``incarnation``."""
        times = [
            flight.arrived_at
            for flight in self._record.flights
            if flight.target == host
            and flight.arrived_at is not None
            and flight.arrived_at >= since
            and any(says(one, "alive", incarnation, "") for one in flight.messages)
        ]
        times += [
            one.at
            for one in self._record.beliefs.get(host, [])
            if one.at >= since and one.kind in AFFIRMING and one.incarnation >= incarnation
        ]
        return min(times, default=None)
