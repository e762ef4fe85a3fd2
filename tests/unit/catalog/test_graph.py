"""Who needs whom, and what is lost when something goes."""

from __future__ import annotations

from gossipd.catalog.graph import (
    dot,
    impact_of_node,
    impact_of_service,
    missing,
    needed_by,
    needs_of,
    reached,
)
from gossipd.services.definition import Service
from gossipd.services.instance import Instance, ServiceSummary


def summary(name: str, *needs: str, passing: int = 1, critical: int = 0) -> ServiceSummary:
    return ServiceSummary(name=name, index=1, needs=needs, passing=passing, critical=critical)


def instance(owner: str, name: str, status: str = "passing") -> Instance:
    service = Service(id=name, name=name)
    return Instance(owner=owner, owner_address="10.0.0.1", service=service, status=status)


SHOP = (summary("shop", "web"), summary("web", "db", "cache"), summary("db"))
NEEDS = needs_of(SHOP)


def test_what_is_only_needed_is_there_too() -> None:
    assert NEEDS == {"cache": (), "db": (), "shop": ("web",), "web": ("cache", "db")}
    assert missing(NEEDS, SHOP) == ("cache",)


def test_needs_are_followed_both_ways() -> None:
    assert reached(needed_by(NEEDS), "db") == ("shop", "web")
    assert reached(NEEDS, "shop") == ("cache", "db", "web")
    assert reached(needed_by(NEEDS), "unknown") == ()


def test_a_circle_ends() -> None:
    needs = needs_of((summary("a", "b"), summary("b", "a")))
    assert reached(needed_by(needs), "a") == ("b",)


def test_a_node_takes_its_instances_with_it() -> None:
    web = (instance("n1", "web"), instance("n2", "web"))
    db = (instance("n1", "db"), instance("n2", "db", "critical"))
    impact = impact_of_node("n1", (web[0], db[0]), {"web": web, "db": db}, NEEDS)
    first, second = impact.losses
    assert (first.service, first.left, first.is_empty) == ("db", 0, True)
    assert (second.service, second.left, second.lost) == ("web", 1, (web[0],))
    assert first.needed_by == ("shop", "web")
    assert impact.broken == ("shop", "web")


def test_what_passes_elsewhere_breaks_nobody() -> None:
    db = (instance("n1", "db"), instance("n2", "db"))
    assert impact_of_node("n1", db[:1], {"db": db}, NEEDS).broken == ()


def test_what_did_not_pass_breaks_nobody_by_going() -> None:
    db = (instance("n1", "db", "critical"),)
    impact = impact_of_node("n1", db, {"db": db}, NEEDS)
    assert impact.losses[0].is_empty
    assert impact.broken == ()


def test_a_service_that_goes_breaks_those_who_need_it() -> None:
    impact = impact_of_service("db", (instance("n1", "db"),), NEEDS)
    assert impact.broken == ("shop", "web")
    assert impact_of_service("shop", (instance("n1", "shop"),), NEEDS).broken == ()


def test_the_drawing_shows_who_is_well() -> None:
    text = dot((summary("web", "db", passing=1, critical=1), summary("x", passing=0)))
    assert '"db" [style=dashed, color=red];' in text
    assert '"web" [label="web\\n1/2", color=orange];' in text
    assert '"x" [label="x\\n0/0", color=red];' in text
    assert '"web" -> "db";' in text


def test_a_name_cannot_break_out_of_the_drawing() -> None:
    text = dot((summary('a"]; b [x="\\\n\x1b'),))
    assert '"a\\"]; b [x=\\"\\\\\\n?"' in text
