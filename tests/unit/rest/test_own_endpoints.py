"""Our own endpoints over a fake node: state, parts of it, graph and impact."""

from __future__ import annotations

import json

import pytest

from gossipd.coordinate import Coordinate
from gossipd.node.view import Suspicion
from gossipd.rest.own import events as own_events
from gossipd.rest.own import graph as own_graph
from gossipd.rest.own import state as own_state
from gossipd.rest.values import Handler, Refused, Reply
from gossipd.serf.events import ChangeKind, MemberChange
from gossipd.services.definition import CheckState
from gossipd.swim.events import AckObserved, MemberSuspected, SuspicionConfirmed
from gossipd.wire.serf_messages import MemberStatus
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.own_desk import WALL, ask, ask_json, make_desk, swim_member


def make_cluster() -> FakeHandle:
    """Return a node ``a`` that suspects ``b``; ``c`` failed; ``web`` needs ``db``."""
    view = make_view(
        make_member("a", tags={"role": "front"}),
        make_member("b", "10.0.0.2"),
        make_member("c", status=MemberStatus.FAILED),
        suspicions={"b": Suspicion("a", 1, 98.0, 104.0)},
    )
    handle = FakeHandle(view)
    near = Coordinate(vec=(0.003,) + (0.0,) * 7)
    handle.coordinates = {"a": Coordinate(), "b": near}
    checks = (CheckState("ping", "ping", "tcp", "passing", "ok"),)
    handle.show(make_instance("a", "web", needs=("db",), checks=checks, learned_at=40.0))
    handle.show(make_instance("b", "web", "web-2", needs=("db",), is_doubtful=True))
    handle.show(make_instance("b", "db", status="critical", maintenance="disk"))
    return handle


async def test_the_state_tells_members_services_and_this_node() -> None:
    handle = make_cluster()
    desk = make_desk(handle)
    b = swim_member("b", incarnation=9, changed_at=70.0)
    handle.happen(AckObserved(b, 0.0042, None))
    handle.happen(MemberSuspected(b, "a", 104.0))
    handle.happen(SuspicionConfirmed(b, "c", 1, 104.0))
    state = await ask_json(own_state.state, desk)
    node = state["node"]
    assert (node["name"], node["datacenter"], node["now"]) == ("a", "dc1", WALL)
    assert node["members"] == {"alive": 1, "suspect": 1, "leaving": 0, "left": 0, "failed": 1}
    a, b_row, c = state["members"]
    assert a["self"] is True
    assert a["tags"] == {"role": "front"}
    assert b_row["status"] == "suspect"
    assert b_row["suspicion"] == {
        "accuser": "a",
        "confirmations": 1,
        "accusers": ["a", "c"],
        "since": WALL - 2,
        "deadline": WALL + 4,
    }
    assert (b_row["incarnation"], b_row["since"]) == (9, WALL - 30)
    assert b_row["ack"] == {"at": WALL, "rtt_ms": 4.2}
    assert b_row["rtt_ms"] == pytest.approx(3.02, abs=0.01)
    assert c["status"] == "failed"
    db, web = state["services"]
    assert (db["critical"], db["instances"][0]["maintenance"]) == (1, "disk")
    assert (web["passing"], web["doubtful"], web["needs"]) == (2, 1, ["db"])
    first, second = web["instances"]
    assert first["checks"][0]["output"] == "ok"
    assert first["learned_at"] == WALL - 60
    assert second["doubtful"] is True


async def test_the_same_state_is_sent_again_and_a_change_is_seen_at_once(
    autojump_clock: object,
) -> None:
    handle = make_cluster()
    desk = make_desk(handle)
    first = await ask(own_state.state, desk)
    again = await ask(own_state.state, desk)
    assert isinstance(first, Reply)
    assert isinstance(again, Reply)
    assert again.body is first.body
    handle.current = make_view(make_member("a"))
    assert len((await ask_json(own_state.state, desk))["members"]) == 1


async def test_instances_are_left_out_when_there_are_very_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own_state, "INSTANCES_SHOWN", 2)
    desk = make_desk(make_cluster())
    state = await ask_json(own_state.state, desk)
    assert (state["instances"], state["instances_shown"]) == (3, False)
    assert "instances" not in state["services"][0]
    state = await ask_json(own_state.state, desk, query={"instances": "all"})
    assert len(state["services"][1]["instances"]) == 2


async def test_one_member_comes_with_its_services_and_what_happened_to_it() -> None:
    handle = make_cluster()
    desk = make_desk(handle)
    handle.happen(MemberChange(ChangeKind.UPDATE, make_member("b")))
    handle.happen(MemberChange(ChangeKind.UPDATE, make_member("c")))
    member = await ask_json(own_state.member, desk, name="b")
    assert [each["service"] for each in member["services"]] == ["web", "db"]
    assert [line["text"] for line in member["timeline"]] == ["b changed its tags"]


async def test_one_service_comes_with_all_its_instances() -> None:
    service = await ask_json(own_state.service, make_desk(make_cluster()), name="web")
    assert [each["node"] for each in service["instances"]] == ["a", "b"]
    assert service["needs"] == ["db"]


async def test_suspects_are_told_with_their_accusers() -> None:
    answer = await ask_json(own_state.suspicion, make_desk(make_cluster()))
    assert [(each["name"], each["accusers"]) for each in answer["suspected"]] == [("b", ["a"])]


async def test_ages_say_how_old_knowledge_is() -> None:
    handle = make_cluster()
    desk = make_desk(handle)
    handle.happen(AckObserved(swim_member("b", changed_at=70.0), 0.004, None))
    handle.clock += 5
    answer = await ask_json(own_state.age, desk)
    assert answer["members"][1] == {
        "name": "b",
        "status": "suspect",
        "acked": 5.0,
        "unchanged": 35.0,
    }
    assert answer["members"][2]["acked"] is None
    assert answer["services"][1] == {
        "name": "web",
        "instances": 2,
        "oldest": 105.0,
        "newest": 65.0,
    }


async def test_the_graph_is_that_of_the_command_line() -> None:
    desk = make_desk(make_cluster())
    answer = await ask_json(own_graph.graph, desk)
    assert [each["name"] for each in answer["services"]] == ["db", "web"]
    assert answer["services"][0]["needed_by"] == ["web"]
    assert answer["missing"] == ["db"]
    drawn = await ask(own_graph.graph, desk, query={"format": "dot"})
    assert isinstance(drawn, Reply)
    assert b'"web" -> "db"' in drawn.body


async def test_the_impact_of_a_node_and_of_a_service() -> None:
    desk = make_desk(make_cluster())
    of_node = await ask_json(own_graph.impact, desk, kind="node", name="a")
    assert of_node["losses"][0]["left_passing"] == 1
    of_service = await ask_json(own_graph.impact, desk, kind="service", name="web")
    assert of_service["losses"][0]["empty"] is True


@pytest.mark.parametrize(
    ("handler", "names", "status"),
    [
        (own_state.member, {"name": "nobody"}, 404),
        (own_state.service, {"name": "nothing"}, 404),
        (own_graph.impact, {"kind": "node", "name": "nobody"}, 404),
        (own_graph.impact, {"kind": "service", "name": "nothing"}, 404),
        (own_graph.impact, {"kind": "rack", "name": "r1"}, 400),
    ],
)
async def test_what_is_not_there_is_refused(
    handler: Handler, names: dict[str, str], status: int
) -> None:
    with pytest.raises(Refused) as refused:
        await ask(handler, make_desk(make_cluster()), **names)  # type: ignore[arg-type]
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("handler", "query"),
    [
        (own_graph.graph, {"format": "png"}),
        (own_state.state, {"instances": "none"}),
        (own_events.timeline, {"limit": "-1"}),
        (own_events.timeline, {"limit": "99999999999999999999"}),
        (own_events.timeline, {"kind": "party"}),
        (own_events.events, {"backlog": "all"}),
        (own_events.events, {"last-event-id": "x-y"}),
    ],
)
async def test_a_wrong_parameter_is_refused_by_name(
    handler: Handler, query: dict[str, str]
) -> None:
    with pytest.raises(Refused) as refused:
        await ask(handler, make_desk(make_cluster()), query=query)
    assert refused.value.status == 400
    assert next(iter(query)) in refused.value.text.lower()
    assert len(refused.value.text.encode()) <= 79


async def test_names_of_peers_are_escaped_in_json() -> None:
    evil = 'x\u2028</script>"\n'
    handle = FakeHandle(make_view(make_member("a"), make_member(evil)))
    reply = await ask(own_state.state, make_desk(handle))
    assert isinstance(reply, Reply)
    assert reply.body.isascii()
    assert b"\n" not in reply.body
    assert json.loads(reply.body)["members"][1]["name"] == evil
