"""What a search came to, for people, for programs, and for the daemon's configuration."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from gossipd_sim.plan.measured import Measured, rate_below, seconds_or_none
from gossipd_sim.plan.search import Candidate, Search
from gossipd_sim.plan.settings import profile_settings
from gossipd_sim.plan.wish import Wish
from gossipd_sim.report import columns

MEDIAN = 0.5


def advice_text(search: Search, *, is_cut_off: bool = False) -> str:
    """Return the answer, its figures as a table, and lines for a configuration file."""
    wish, found, is_met = search.wish, *_best(search)
    rows = [("wish", wish_text(wish)), ("answer", _answer(search, found, is_met, is_cut_off))]
    if wish.is_contradictory:
        rows.append(("note", _contradiction(wish)))
    if found is None:
        return columns(rows)
    measured = search.measured(found)
    assert measured is not None
    rows += _rows(search, found, measured)
    if is_met:
        kind = "these settings"
    elif is_cut_off:
        kind = "the nearest so far; NOT proven"
    else:
        kind = "the nearest there is; the wish is NOT met"
    heading = f"# gossipd.toml of all {wish.nodes} members: {kind}"
    return f"{columns(rows)}\n{heading}\n{found.settings.toml()}"


def advice_json(search: Search, *, is_cut_off: bool = False) -> dict[str, object]:
    """Return the same as plain values; durations in seconds, ``null`` is never."""
    wish, found, is_met = search.wish, *_best(search)
    return {
        "wish": {
            "nodes": wish.nodes,
            "detect": wish.detect,
            "pause": wish.pause,
            "loss": wish.loss,
            "false_positives": wish.false_positives,
            "rtt": wish.rtt,
        },
        "met": is_met,
        "complete": not is_cut_off,
        "answer": _answer(search, found, is_met, is_cut_off),
        "contradiction": _contradiction(wish) if wish.is_contradictory else None,
        "recommended": _candidate_json(search, found) if is_met else None,
        "nearest": None if is_met else _candidate_json(search, found),
        "rehearsals": search.rehearsals,
        "tried": [_candidate_json(search, one) for one in search.rehearsed],
    }


def wish_text(wish: Wish) -> str:
    """Return the wish as a sentence."""
    parts = [f"{wish.nodes} members", f"a crash known to everybody within {wish.detect:g} s"]
    bears = [f"pauses of {wish.pause:g} s"] if wish.pause else []
    if wish.loss:
        bears.append(f"{100 * wish.loss:g} % loss")
    if bears:
        parts.append(" and ".join(bears) + " borne")
    allowed = f"{100 * wish.false_positives:g} %" if wish.false_positives else "no"
    return ", ".join(parts) + f", {allowed} false positives"


def _best(search: Search) -> tuple[Candidate | None, bool]:
    """Return who is to be shown, and whether that meets the wish."""
    recommended = search.recommended()
    return (search.nearest(), False) if recommended is None else (recommended, True)


def _answer(search: Search, found: Candidate | None, is_met: bool, is_cut_off: bool) -> str:
    wish = search.wish
    if found is None:
        return "nothing was rehearsed to its end"
    measured = search.measured(found)
    assert measured is not None
    if is_met:
        if found.settings == profile_settings(found.settings.profile):
            return f"yes: the profile {found.settings.profile} as it is will do"
        return "yes, with the settings below"
    if is_cut_off:
        return "cut off before anything was proven; the nearest so far is below"
    return "no: " + "; ".join(_shortfalls(wish, measured)) + " with the nearest settings"


def _shortfalls(wish: Wish, measured: Measured) -> Iterator[str]:
    late = measured.p99 - wish.detect
    if not isfinite(late):
        yield "some crashes are not known to everybody in time"
    elif late > 0:
        yield (f"99 of 100 crashes are known within {measured.p99:.2f} s, {late:.2f} s too late")
    if measured.pause_rate > wish.false_positives:
        yield f"{measured.pauses_failed} of {measured.pauses} pauses end in a false positive"
    if measured.hourly_rate > wish.false_positives:
        yield (
            f"{measured.others_failed} members that did not pause were declared failed"
            f" in {measured.member_hours:.1f} member-hours"
        )


def _contradiction(wish: Wish) -> str:
    return (
        f"a member that pauses for {wish.pause:g} s and one that has crashed are the same to"
        f" everybody for {wish.pause:g} s: nothing can tell them apart within {wish.detect:g} s"
    )


def _rows(search: Search, found: Candidate, measured: Measured) -> list[tuple[str, str]]:
    settings, forecast = found.settings, found.forecast
    changed = ", ".join(f"{key} {value}" for key, value in settings.table.items())
    crashes = len(measured.detections)
    runs = len(measured.runs)
    rows = [
        ("profile", settings.profile),
        ("swim", changed),
        ("detection", f"{_times(measured)} until everybody knew, over {crashes} crashes"),
        ("by formula", f"median {forecast.median:.2f} s, p99 {forecast.p99:.2f} s"),
    ]
    if search.wish.pause:
        rows.append(("paused", _of(measured.pauses_failed, measured.pauses, "pauses")))
    rows += [
        ("others", _hours(measured)),
        ("cost", f"{measured.packets:.1f} packets a second from each member"),
        ("measured", f"{runs} rehearsals of these settings, {search.rehearsals} in all"),
    ]
    unformed = sum(not run.is_formed for run in measured.runs)
    if unformed:
        rows.append(("beware", f"in {unformed} rehearsals some members did not know all others"))
    return rows


def _times(measured: Measured) -> str:
    median, p99 = measured.detection(MEDIAN), measured.p99
    return ", ".join(
        f"{name} {seconds:.2f} s" if isfinite(seconds) else f"{name} never"
        for name, seconds in (("median", median), ("p99", p99))
    )


def _of(failed: int, trials: int, what: str) -> str:
    if failed:
        return f"{failed} of {trials} {what} ended in a false positive ({failed / trials:.1%})"
    return (
        f"no false positive in {trials} {what} (95 % sure: below {rate_below(trials):.1%} of them)"
    )


def _hours(measured: Measured) -> str:
    hours = measured.member_hours
    if measured.others_failed:
        return (
            f"{measured.others_failed} members that did not pause were declared failed in"
            f" {hours:.1f} member-hours"
        )
    return f"no false positive about those that did not pause, in {hours:.1f} member-hours"


def _candidate_json(search: Search, one: Candidate | None) -> dict[str, object] | None:
    if one is None:
        return None
    measured = search.measured(one)
    assert measured is not None
    return {
        "profile": one.settings.profile,
        "swim": one.settings.table,
        "toml": one.settings.toml(),
        "met": measured.meets(search.wish),
        "all_seeds": search.is_complete(one),
        "forecast": {
            "detection_median": round(one.forecast.median, 4),
            "detection_p99": round(one.forecast.p99, 4),
            "pause": round(one.forecast.pause, 4),
        },
        "measured": {
            "rehearsals": len(measured.runs),
            "crashes": len(measured.detections),
            "detection_median": seconds_or_none(measured.detection(MEDIAN)),
            "detection_p99": seconds_or_none(measured.p99),
            "pauses": measured.pauses,
            "pauses_failed": measured.pauses_failed,
            "others_failed": measured.others_failed,
            "member_hours": round(measured.member_hours, 4),
            "packets_a_second": round(measured.packets, 4),
            "unformed": sum(not run.is_formed for run in measured.runs),
        },
    }
