"""How news spreads: the books by themselves, and what a simulated run writes into them."""

from __future__ import annotations

import pytest

from gossipd.serf.events import ChangeKind
from gossipd_sim.cluster import Cluster
from gossipd_sim.curves import Course, Curves
from gossipd_sim.news import News, Spread, Spreads, everywheres, firsts
from gossipd_sim.scenario import read_scenario

A, B, C = ("a", 1), ("b", 1), ("c", 1)


def only(spreads: Spreads) -> Spread:
    """Return the one piece of news there is."""
    (found,) = spreads.spreads()
    return found


def test_a_crash_is_known_first_and_everywhere_when_its_witnesses_say_so() -> None:
    books = Spreads()
    books.begin(News.CRASH, "x", 10.0, [A, B, C])
    assert books.hear(B, ChangeKind.FAILED, "x", 13.0)
    assert only(books).first == 3.0
    assert only(books).everywhere is None
    books.hear(A, ChangeKind.FAILED, "x", 14.0)
    books.hear(C, ChangeKind.FAILED, "x", 15.5)
    assert only(books) == Spread(News.CRASH, "x", 10.0, (3.0, 4.0, 5.5), 3)
    assert only(books).everywhere == 5.5
    assert books.waiting == 0


def test_what_is_heard_twice_or_by_no_witness_counts_once_or_not_at_all() -> None:
    books = Spreads()
    books.begin(News.LEAVE, "x", 0.0, [A])
    assert books.hear(B, ChangeKind.LEAVE, "x", 1.0)
    assert books.hear(A, ChangeKind.LEAVE, "x", 2.0)
    assert books.hear(A, ChangeKind.LEAVE, "x", 9.0)
    assert only(books).delays == (2.0,)


def test_another_change_than_the_news_is_unexpected() -> None:
    books = Spreads()
    assert not books.hear(A, ChangeKind.JOIN, "x", 1.0)
    books.begin(News.LEAVE, "x", 0.0, [A])
    assert not books.hear(A, ChangeKind.FAILED, "x", 1.0)
    assert only(books).delays == ()


def test_a_witness_that_is_gone_before_it_heard_counts_no_more() -> None:
    books = Spreads()
    books.begin(News.CRASH, "x", 0.0, [A, B])
    books.hear(A, ChangeKind.FAILED, "x", 1.0)
    assert only(books).everywhere is None
    books.drop(B)
    assert only(books).everywhere == 1.0
    books.drop(A)  # it has heard
    assert only(books).witnesses == 1


def test_of_a_return_only_those_hear_that_had_heard_of_the_end() -> None:
    books = Spreads()
    books.begin(News.CRASH, "x", 0.0, [A, B])
    books.hear(A, ChangeKind.FAILED, "x", 1.0)
    books.begin(News.RETURN, "x", 5.0, [A, B])
    books.hear(B, ChangeKind.FAILED, "x", 5.5)  # too late: that is over
    books.hear(A, ChangeKind.JOIN, "x", 6.0)
    crash, back = books.spreads()
    assert (crash.delays, crash.witnesses) == ((1.0,), 2)
    assert (back.delays, back.witnesses) == ((1.0,), 1)


def test_a_false_alarm_does_not_end_true_news_and_true_news_ends_it() -> None:
    books = Spreads()
    books.begin(News.JOIN, "x", 0.0, [A, B])
    books.begin(News.FALSE_ALARM, "x", 1.0, [A, B])
    books.hear(A, ChangeKind.FAILED, "x", 1.0)
    books.hear(B, ChangeKind.JOIN, "x", 2.0)
    books.begin(News.CRASH, "x", 3.0, [A, B])
    books.hear(B, ChangeKind.FAILED, "x", 4.0)
    told = {spread.news: spread.delays for spread in books.spreads()}
    assert told == {News.JOIN: (2.0,), News.FALSE_ALARM: (0.0,), News.CRASH: (1.0,)}


def test_too_much_news_is_counted_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gossipd_sim.news.JOIN_NOTES_MAX", 2)
    books = Spreads()
    books.begin(News.JOIN, "x", 0.0, [A, B])
    books.begin(News.JOIN, "y", 0.0, [A, B])
    assert [spread.node for spread in books.spreads()] == ["x"]
    assert books.untold == 1


def test_medians_are_over_those_that_were_heard() -> None:
    spreads = [
        Spread(News.CRASH, "x", 0.0, (1.0, 2.0), 2),
        Spread(News.CRASH, "y", 0.0, (3.0,), 2),
        Spread(News.CRASH, "z", 0.0, (), 2),
        Spread(News.LEAVE, "z", 0.0, (9.0,), 1),
    ]
    assert firsts(spreads, News.CRASH) == [1.0, 3.0]
    assert everywheres(spreads, News.CRASH) == [2.0]


# -- in a run -------------------------------------------------------------------------

SCENARIO = """
nodes = 7
horizon = 130.0
settle = 50.0
[bootstrap]
kind = "one seed"
over = 2.0
[[faults]]
at = 20.0
do = "crash"
hosts = "n003"
lasts = 20.0
[[faults]]
at = 21.0
do = "leave"
hosts = "n004"
[[faults]]
at = 30.0
do = "freeze"
hosts = "n005"
lasts = 40.0
"""


@pytest.fixture(scope="module")
def course() -> Course:
    cluster = Cluster(read_scenario(SCENARIO, "all.toml"), 5)
    curves = Curves(cluster)
    outcome = cluster.run()
    plain = Cluster(read_scenario(SCENARIO, "all.toml"), 5).run()
    assert outcome == plain, "recording must not change a run"
    detection = outcome.measures["detection"]
    assert isinstance(detection, dict)
    crash = next(one for one in curves.course().spreads if one.news is News.CRASH)
    assert crash.first == pytest.approx(detection["first"]["median"], abs=1e-3)
    assert crash.everywhere == pytest.approx(detection["full"]["median"], abs=1e-3)
    return curves.course()


def test_every_kind_of_news_is_followed_from_its_true_moment(course: Course) -> None:
    told = [
        (spread.news, spread.node, spread.at)
        for spread in course.spreads
        if spread.news is not News.JOIN
    ]
    assert told == [
        (News.CRASH, "n003", 20.0),
        (News.LEAVE, "n004", 21.0),
        (News.FREEZE, "n005", 30.0),
        (News.RETURN, "n003", 40.0),
        (News.RETURN, "n005", 70.0),
    ]
    for spread in course.spreads:
        assert spread.everywhere is not None or spread.witnesses == 0, spread
    joins = {spread.node: spread for spread in course.spreads if spread.news is News.JOIN}
    assert sorted(joins) == [f"n{number:03d}" for number in range(7)]
    assert [node for node, join in joins.items() if join.witnesses == 0] == ["n000"]


def test_views_follow_the_truth_and_the_last_look_is_at_the_end(course: Course) -> None:
    assert course.times[-1] == 130.0
    at = dict(zip(course.times, course.views, strict=True))
    step = course.step
    before, crashed, end = (at[round(round(t / step) * step, 6)] for t in (19.0, 22.0, 129.0))
    assert (before.low, before.median, before.high, before.truth) == (7, 7, 7, 7)
    assert (crashed.high, crashed.truth) == (6, 5)
    assert (end.low, end.high, end.truth) == (6, 6, 6)


def test_traffic_is_counted_under_its_causes(course: Course) -> None:
    assert {"ping", "ack", "gossip", "streams"} <= set(course.traffic)
    looks = len(course.views)
    assert all(len(rates) == looks for rates in course.traffic.values())
    quiet = [at for at, time in enumerate(course.times) if 10 <= time < 20]
    pings = [course.traffic["ping"][at] for at in quiet]
    assert 40 < sum(pings) / len(pings) < 110  # about one a second, some 65 bytes
