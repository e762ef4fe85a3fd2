"""An ``Explanation`` in words, for an operator who is tired."""

from __future__ import annotations

from collections.abc import Iterator

from gossipd_sim.explanation import (
    Accusation,
    Explanation,
    Fate,
    Helper,
    Hop,
    Probe,
    Refutation,
    Route,
    Suspicion,
)

HISTORY_SHOWN = 12
FAULTS_SHOWN = 12
HOPS_SHOWN = 20
LOST = {
    "nobody": "lost, no process there",
    "cut": "lost, the network is cut there",
    "loss": "lost on the link",
    "burst": "lost in a burst on the link",
    "mtu": "lost, too long for the link",
    "udp-off": "lost, the link carries no UDP",
    "buffer": "dropped, the receive buffer was full",
    "corrupt": "damaged on the way",
}


def told(explanation: Explanation) -> str:
    """Return the whole explanation as text."""
    lines = [*_headline(explanation)]
    if explanation.suspicion is not None:
        lines += ["", *_suspicion(explanation, explanation.suspicion)]
    if explanation.route is not None and not _is_told(explanation):
        lines += ["", *_way(explanation, explanation.route)]
    if explanation.refutation is not None:
        lines += ["", *_refutation(explanation, explanation.refutation)]
    lines += ["", *_history(explanation)]
    if explanation.faults:
        lines += ["", *_faults(explanation)]
    return "\n".join(lines) + "\n"


def _is_told(told: Explanation) -> bool:
    """Say whether the suspicion tells the way of the claim already."""
    if told.suspicion is None or told.route is None:
        return False
    return not told.route.hops or told.belief in ("suspected", "confirmed")


def _headline(told: Explanation) -> Iterator[str]:
    if told.broke:
        yield f"THE RUN BROKE: {told.broke}"
    if told.since is None:
        yield f"{told.at} had not heard of {told.member} by {_at(told.when)}."
        return
    verb = {
        "dead": "declared dead",
        "left": "known to have left",
        "suspected": "suspected",
        "confirmed": "suspected, with one more accuser,",
        "refuted": "found to be alive after all",
        "alive": "found to be alive",
        "updated": "heard with new tags",
        "forgotten": "dropped from the table",
        "unknown": "unknown again",
    }[told.belief]
    yield (
        f"{told.member} was {verb} at {told.at} at {_at(told.since)}"
        f" (incarnation {told.incarnation})."
    )
    if told.when > told.since:
        yield f"Nothing changed that until {_at(told.when)}."
    really = f"Really, {told.member} was {told.reality} at that moment"
    is_wrong = told.belief == "dead" and "down" not in told.reality and "gone" not in told.reality
    yield f"{really}: a false positive." if is_wrong else f"{really}."


# -- the suspicion -------------------------------------------------------------------


def _suspicion(told: Explanation, suspicion: Suspicion) -> Iterator[str]:
    yield f"THE SUSPICION at {suspicion.host}"
    for accusation in suspicion.accusations:
        yield from _accusation(told.member, suspicion.host, accusation)
    last = suspicion.accusations[-1]
    if suspicion.over_at is None:
        yield f"  It still runs, until {_at(last.deadline)}."
    elif suspicion.ran_out:
        waited = suspicion.over_at - suspicion.since
        clock = ""
        if suspicion.over_at < last.deadline - 1e-3:
            clock = ", by a clock of its own that jumped or drifted"
        elif suspicion.over_at > last.deadline + 1e-3:
            clock = ", late: something held it up, or its clock is slow"
        yield (
            f"  {_at(suspicion.over_at)}  nothing was heard of {told.member} for {waited:.3f} s:"
            f" {suspicion.host} declared it dead{clock}."
        )
    elif suspicion.outcome == "refuted":
        yield f"  {_at(suspicion.over_at)}  it ended: the answer of {told.member} was here."
    elif suspicion.outcome == "unknown":
        yield f"  {_at(suspicion.over_at)}  it ended: {suspicion.host} restarted."
    else:
        yield f"  {_at(suspicion.over_at)}  it ended: somebody said {suspicion.outcome}."


def _accusation(member: str, host: str, accusation: Accusation) -> Iterator[str]:
    route = accusation.route
    if accusation.confirmations:
        what = f"{accusation.accuser} agreed (confirmation {accusation.confirmations})"
        until = "the deadline came nearer: "
    else:
        what = f"{accusation.accuser} accused {member}"
        until = "it has until "
    yield f"  {_at(accusation.heard_at)}  {what}; {until}{_at(accusation.deadline)}"
    if route.hops:
        yield f"      {host} heard it on this way:"
        yield from _hops(route.hops, is_accusing=True)
    yield from _origin(member, route)


def _origin(member: str, route: Route) -> Iterator[str]:
    if route.probe is not None:
        yield from _probe(member, route.probe)
    elif route.origin == "forged":
        yield "      The claim was forged: no host sent it."
    elif route.origin == "damaged":
        yield f"      The packet of {route.host} was damaged on the way: it did not say that."
    elif route.origin == "formed":
        yield f"      {route.host} began its life knowing {member}: the cluster was formed."
    elif route.origin == "member":
        yield f"      {member} said so itself at {_at(route.made_at)}."
    elif route.origin == "expiry":
        yield (
            f"      A suspicion of {route.host}'s own ran out at {_at(route.made_at)}:"
            f" explain --at {route.host} tells of it."
        )
    else:
        yield f"      Why {route.host} said so at {_at(route.made_at)} was not seen."


def _probe(member: str, probe: Probe) -> Iterator[str]:
    yield f"      The root: the probe of {member} by {probe.prober}"
    lines = sorted(_moments(member, probe), key=lambda moment: moment[0])  # stable
    for at, text in lines:
        late = " (too late)" if at > probe.over_at else ""
        yield f"        {_at(at)}  {text}{late}"


def _moments(member: str, probe: Probe) -> Iterator[tuple[float, str]]:
    if probe.ping is None:
        yield probe.started_at, f"the ping never left: {probe.prober} could not send"
    else:
        kept = probe.ping.sent_at - probe.started_at
        if kept > 0:
            yield probe.started_at, f"the ping was kept back: {probe.prober} could not send"
        yield probe.ping.sent_at, f"ping: {_fate(probe.ping)}"
    for ack in probe.acks:
        yield ack.sent_at, f"ack of {member}: {_fate(ack)}"
    for helper in probe.helpers:
        yield helper.asked.sent_at, f"ping-req to {helper.name}: {_helper(helper)}"
    if probe.stream_at is not None:
        yield probe.stream_at, f"ping by TCP: {probe.stream}"
    yield probe.over_at, f"the round was over without an ack: {probe.prober} accused {member}"


def _helper(helper: Helper) -> str:
    if helper.pinged is None:
        return _fate(helper.asked)
    parts = [f"its ping {_fate(helper.pinged)}"]
    if helper.acked is not None:
        parts.append(f"ack {_fate(helper.acked)}")
    if helper.answered is not None:
        parts.append(f"its {helper.answer} {_fate(helper.answered)}")
    return ", ".join(parts)


# -- ways ------------------------------------------------------------------------------


def _way(told: Explanation, route: Route) -> Iterator[str]:
    if not route.hops:
        yield f"HOW {told.at} KNEW"
        if told.belief == "unknown":
            yield f"      {told.at} restarted at {_at(route.made_at)} and knew nobody."
            return
        if told.belief == "forgotten":
            yield "      It is dropped some time after it died or left, when the probe list wraps."
            return
        yield from _origin(told.member, route)
        return
    claim = {"dead": "THE DEATH", "suspect": "THE ACCUSATION", "alive": "THE NEWS"}[route.claim]
    yield f"THE WAY OF {claim} from {route.host} to {told.at}"
    yield from _hops(route.hops, is_accusing=route.claim == "suspect")
    if told.suspicion is None:
        yield from _origin(told.member, route)


def _hops(hops: tuple[Hop, ...], *, is_accusing: bool) -> Iterator[str]:
    for hop in hops[:HOPS_SHOWN]:
        line = f"        {_at(hop.sent_at)}  {hop.source} -> {hop.target}"
        if hop.is_damaged:
            line += ", damaged on the way unnoticed"
        if hop.by == "push/pull":
            own = f"; from then on {hop.target} accuses in its own name" if is_accusing else ""
            yield f"{line}, by push/pull{own}"
        elif hop.handled_at > hop.arrived_at + 1e-9:
            why = f", which was {hop.found}" if hop.found else ""
            yield (
                f"{line}, arrived {_at(hop.arrived_at)}{why};"
                f" it was handled at {_at(hop.handled_at)}"
            )
        else:
            yield f"{line}, arrived {_at(hop.arrived_at)}"
    if len(hops) > HOPS_SHOWN:
        yield f"        ... and {len(hops) - HOPS_SHOWN} more (--json shows all)"


# -- the refutation ----------------------------------------------------------------------


def _refutation(told: Explanation, answer: Refutation) -> Iterator[str]:
    yield f"THE REFUTATION by {told.member}"
    if answer.told:
        parts = ", ".join(f"{count} {_outcome(outcome)}" for outcome, count in answer.told)
        yield f"  accusations sent to it: {parts}"
    else:
        yield "  no accusation was sent to it"
    if answer.answered_at is None:
        yield f"  It never answered above incarnation {told.incarnation}."
        return
    yield f"  {_at(answer.answered_at)}  it answered, with incarnation {answer.incarnation}"
    if answer.reached_at is None:
        yield f"  The answer never reached {answer.decider}."
    elif answer.decided_at is None:
        yield f"  {_at(answer.reached_at)}  the answer reached {answer.decider}"
    elif answer.reached_at >= answer.decided_at and not answer.is_in_time:
        late = answer.reached_at - answer.decided_at
        yield (
            f"  {_at(answer.reached_at)}  the answer reached {answer.decider},"
            f" {late:.3f} s too late"
        )
    else:
        yield f"  {_at(answer.reached_at)}  the answer reached {answer.decider}, in time"


def _outcome(outcome: str) -> str:
    return LOST.get(outcome.removeprefix("lost: "), outcome)


# -- the rest ------------------------------------------------------------------------------


def _history(told: Explanation) -> Iterator[str]:
    yield f"WHAT {told.at} BELIEVED OF {told.member} (--when TIME explains another)"
    if not told.history:
        yield "  nothing: it never heard of it"
    skipped = len(told.history) - HISTORY_SHOWN
    if skipped > 0:
        yield f"  {skipped} earlier changes (--json shows all)"
    for moment in told.history[-HISTORY_SHOWN:]:
        by = f", said {moment.accuser}" if moment.accuser else ""
        yield (
            f"  {_at(moment.at)}  {moment.kind}, incarnation {moment.incarnation}{by}"
            f" (really {moment.reality})"
        )


def _faults(told: Explanation) -> Iterator[str]:
    yield "WHAT WAS DONE TO THE CLUSTER until then"
    skipped = len(told.faults) - FAULTS_SHOWN
    if skipped > 0:
        yield f"  {skipped} earlier ones (--json shows all)"
    for at, text in told.faults[-FAULTS_SHOWN:]:
        yield f"  {_at(at)}  {text}"


def _fate(fate: Fate) -> str:
    if fate.lost:
        return LOST.get(fate.lost, f"lost ({fate.lost})")
    if fate.arrived_at is None:
        return "still on its way"
    if fate.found:
        return f"arrived {_at(fate.arrived_at)} ({fate.target} was {fate.found})"
    return f"arrived {_at(fate.arrived_at)}"


def _at(seconds: float) -> str:
    return f"{seconds:.4f} s"
