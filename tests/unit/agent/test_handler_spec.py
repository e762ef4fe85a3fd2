"""Handlers as operators write them; environment and standard input of their scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.address import Address
from gossipd.agent.handlers.spec import (
    Handler,
    environment_of,
    input_of,
    listed,
    parse_handlers,
    title_of,
)
from gossipd.config.load import load_config
from gossipd.errors import ConfigError
from gossipd.serf.events import (
    ChangeKind,
    MembersChanged,
    QueryReceived,
    SerfMember,
    UserEventReceived,
)
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import MemberStatus

DEPLOY = UserEventReceived(7, "deploy", b"v39", may_coalesce=True, sender="b")
LOAD = QueryReceived(1, 9, "load", None, "b", 10.0)


def changed(kind: ChangeKind, *members: SerfMember) -> MembersChanged:
    return MembersChanged(kind, members)


def member(name: str, **tags: str) -> SerfMember:
    address = Address(bytes([10, 0, 0, 4]), 7946)
    return SerfMember(name, address, tags, MemberStatus.ALIVE, Versions(), 1)


@pytest.mark.parametrize(
    ("text", "filters", "script"),
    [
        ("notify.sh", ("*",), "notify.sh"),
        ("*=a=b", ("*",), "a=b"),
        ("=a=b", ("*",), "a=b"),
        ("user:deploy=deploy.sh --fast=1", ("user:deploy",), "deploy.sh --fast=1"),
        ("member-join,member-leave=x", ("member-join", "member-leave"), "x"),
    ],
)
def test_a_handler_is_a_script_or_filters_and_a_script(
    text: str, filters: tuple[str, ...], script: str
) -> None:
    handler = Handler(text)
    assert (handler.filters, handler.script) == (filters, script)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("member-foo=x.sh", "Invalid event script: Event 'member-foo' invoking 'x.sh'"),
        ("user,nope=x.sh", "Invalid event script: Event 'nope' invoking 'x.sh'"),
        ("user,=x.sh", "Invalid event script: Event '' invoking 'x.sh'"),
        ("user=", "Invalid event script: 'user=' names no script to run"),
        ("  ", "Invalid event script: '  ' names no script to run"),
    ],
)
def test_what_is_no_handler_is_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_handlers(["ok.sh", text])
    assert str(caught.value) == complaint


def test_a_handler_wants_what_its_filters_name() -> None:
    join, failed = changed(ChangeKind.JOIN, member("a")), changed(ChangeKind.FAILED, member("a"))
    assert all(Handler("x").wants(event) for event in (join, failed, DEPLOY, LOAD))
    assert [Handler("member-join=x").wants(e) for e in (join, failed, DEPLOY, LOAD)] == [
        True, False, False, False,
    ]  # fmt: skip
    assert [Handler("user:deploy,query=x").wants(e) for e in (join, failed, DEPLOY, LOAD)] == [
        False, False, True, True,
    ]  # fmt: skip
    assert not Handler("user:other=x").wants(DEPLOY)
    assert not Handler("query:other=x").wants(LOAD)


def test_handlers_are_listed_by_kind_and_name_of_each_filter() -> None:
    handlers = parse_handlers(["query:load=cat", "all.sh", "member-join,user=j", "query:load=w"])
    assert listed(handlers) == {
        "query:load": "cat",
        "*:": "all.sh",
        "member-join:": "j",
        "user:": "j",
        "query:load (2)": "w",
    }


def test_a_script_is_told_of_a_user_event_under_serfs_names_and_ours() -> None:
    environment = environment_of(DEPLOY, "a", {"role": "web", "dc-1.x": "east"}, {b"PATH": b"/bin"})
    facts = {
        b"EVENT": b"user",
        b"SELF_NAME": b"a",
        b"SELF_ROLE": b"web",
        b"TAG_ROLE": b"web",
        b"TAG_DC_1_X": b"east",
        b"USER_EVENT": b"deploy",
        b"USER_LTIME": b"7",
    }
    twins = {prefix + key: facts[key] for prefix in (b"SERF_", b"GOSSIPD_") for key in facts}
    assert environment == {b"PATH": b"/bin", b"GOSSIPD_SENDER": b"b", **twins}


def test_a_script_is_told_of_queries_and_members() -> None:
    query = environment_of(LOAD, "a", {}, {})
    assert (query[b"SERF_EVENT"], query[b"SERF_SELF_ROLE"]) == (b"query", b"")
    assert (query[b"SERF_QUERY_NAME"], query[b"SERF_QUERY_LTIME"]) == (b"load", b"9")
    for kind in ChangeKind:
        told = environment_of(changed(kind, member("b")), "a", {}, {})
        assert told[b"SERF_EVENT"] == kind.value.encode()
        assert b"GOSSIPD_SENDER" not in told


def test_the_key_of_the_cluster_does_not_reach_scripts() -> None:
    inherited = {b"GOSSIPD_ENCRYPT_KEY": b"secret", b"GOSSIPD_SOCKET": b"s"}
    environment = environment_of(DEPLOY, "a", {}, inherited)
    assert b"GOSSIPD_ENCRYPT_KEY" not in environment
    assert environment[b"GOSSIPD_SOCKET"] == b"s"


def test_facts_of_another_event_do_not_reach_scripts() -> None:
    """A daemon that a handler started has them in its own environment."""
    of_parent = environment_of(LOAD, "parent", {"rack": "7"}, {b"SERF_RPC_ADDR": b"h:1"})
    environment = environment_of(DEPLOY, "a", {}, of_parent)
    assert environment == environment_of(DEPLOY, "a", {}, {b"SERF_RPC_ADDR": b"h:1"})


def test_an_agent_can_be_started_by_a_handler() -> None:
    tags = {"rack": "7", "s": "odd"}
    for event in (DEPLOY, LOAD, changed(ChangeKind.JOIN, member("b"))):
        environment = environment_of(event, "a", tags, {})
        texts = {key.decode(): value.decode() for key, value in environment.items()}
        config = load_config([], texts, {}, node_name="host")
        assert config == load_config([], {}, {}, node_name="host")
        del texts["GOSSIPD_EVENT"]
        with pytest.raises(ConfigError, match="unknown setting"):
            load_config([], texts, {}, node_name="host")


def test_members_come_one_a_line_with_tabs_and_newlines_escaped() -> None:
    event = changed(
        ChangeKind.JOIN, member("a", role="web", dc="east"), member("b\tx\ny"), member("c", k="\n")
    )
    assert input_of(event) == (
        b"a\t10.0.0.4\tweb\tdc=east,role=web\nb\\tx\\ny\t10.0.0.4\t\t\nc\t10.0.0.4\t\tk=\\n\n"
    )


@pytest.mark.parametrize(
    ("payload", "read"), [(None, b""), (b"", b""), (b"x", b"x\n"), (b"x\n", b"x\n"), (b"\n", b"\n")]
)
def test_a_payload_ends_with_a_newline_and_an_empty_one_is_nothing(
    payload: bytes | None, read: bytes
) -> None:
    assert input_of(UserEventReceived(1, "x", payload, may_coalesce=False)) == read


def test_titles_are_those_of_the_log() -> None:
    assert title_of(DEPLOY) == "user-event: deploy"
    assert title_of(LOAD) == "query: load"
    assert title_of(changed(ChangeKind.REAP, member("a"))) == "member-reap"


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_nothing_that_a_peer_names_can_break_the_environment(
    name: str, tags: dict[str, str]
) -> None:
    event = UserEventReceived(1, name, None, may_coalesce=False, sender=name)
    for key, value in environment_of(event, name, tags, {}).items():
        assert b"=" not in key
        assert b"\0" not in key + value
