"""``serf event``, ``query``, ``keys`` and ``rtt`` against a gossipd, and in a mixed cluster.

As in ``test_serf_command.py`` both kinds of agent are asked the same, and must
answer the same but for names and addresses.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence

import pytest

from support.agents import GOSSIPD, SERF, AgentKind, AgentProcess
from support.clusters import NewCluster
from support.rpc_probe import RpcProbe
from support.waiting import wait_for

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("serf_program")]

BOTH: list[AgentKind] = [SERF, GOSSIPD]
HANDLERS = (
    "--event-handler", "query:load=echo 0.42",
    "--event-handler", "query:fail=echo no; exit 3",
)  # fmt: skip
FIRST = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SECOND = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="


def serf(agent: AgentProcess, command: str, *words: str) -> tuple[int, str]:
    """Run the ``serf`` command against ``agent``; returns exit code and output."""
    done = subprocess.run(
        ["serf", command, "-rpc-addr", agent.options.rpc, *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def neutral(text: str, agent: AgentProcess) -> str:
    """Return ``text`` with the agent's own name replaced."""
    return re.sub(rf"\b{re.escape(agent.name)}\b", "NAME", text)


@pytest.fixture(scope="module")
def module_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewCluster]:
    """Make clusters that live as long as the tests of this file."""
    from support.clusters import Cluster

    made: list[Cluster] = []

    def make(**settings: object) -> Cluster:
        made.append(Cluster(tmp_path_factory.mktemp("cluster"), **settings))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture(scope="module")
def lone(module_cluster: NewCluster) -> list[AgentProcess]:
    """Return one lone agent of each kind, with handlers for two queries."""
    cluster = module_cluster(more=HANDLERS)
    return cluster.start(serf=1, gossipd=1)


@pytest.mark.parametrize(
    "words",
    [
        ("deploy", "v1.2.3"),
        ("-coalesce=false", "restart"),
        ("x", "y" * 511),
        ("x", "y" * 512),
        ("x", "y" * 482),
        ("x", "y" * 481),
        (),
    ],
    ids=lambda words: " ".join(words)[:24] + f" {len(' '.join(words))}",
)
def test_event_prints_the_same(lone: list[AgentProcess], words: Sequence[str]) -> None:
    theirs, ours = (serf(agent, "event", *words) for agent in lone)
    assert theirs == ours


@pytest.mark.parametrize(
    "words",
    [
        ("load", "now"),
        ("-no-ack", "load"),
        ("-relay-factor=1", "load"),
        ("fail",),
        ("nobody-handles-this",),
        ("-node=nobody", "load"),
        ("-tag=role=x", "load"),
        ("_serf_nope",),
        ("big", "x" * 1100),
    ],
    ids=lambda words: " ".join(words)[:24],
)
def test_query_prints_the_same(lone: list[AgentProcess], words: Sequence[str]) -> None:
    outputs = []
    for agent in lone:
        code, text = serf(agent, "query", "-timeout=500ms", *words)
        # Acks and answers race each other.
        outputs.append((code, sorted(neutral(text, agent).splitlines())))
    assert outputs[0] == outputs[1]


def test_query_as_json_is_the_same(lone: list[AgentProcess]) -> None:
    outputs = []
    for agent in lone:
        code, text = serf(agent, "query", "-timeout=500ms", "-format=json", "load")
        outputs.append((code, json.loads(neutral(text, agent))))
    assert outputs[0] == outputs[1]


def test_keys_of_an_unencrypted_agent_are_refused_the_same(lone: list[AgentProcess]) -> None:
    for words in (("-list",), ("-install", FIRST), ("-use", FIRST), ("-install", "@@@")):
        outputs = [
            (code, neutral(text, agent))
            for agent in lone
            for code, text in [serf(agent, "keys", *words)]
        ]
        assert outputs[0] == outputs[1], words


def test_keys_are_listed_and_rotated_the_same(new_cluster: NewCluster) -> None:
    steps = [
        ("-list",), ("-install", SECOND), ("-install", SECOND), ("-remove", FIRST),
        ("-use", SECOND), ("-list",), ("-remove", FIRST), ("-remove", FIRST), ("-use", FIRST),
        ("-install", "MTIzNDU="), ("-install", "@@@"), ("-list",), ("-list", "-use", FIRST),
    ]  # fmt: skip
    outputs = []
    for agent in new_cluster(encrypt=FIRST).start(serf=1, gossipd=1):
        for words in steps:
            code, text = serf(agent, "keys", *words)
            # The order of keys is chance.
            outputs.append((words, code, sorted(neutral(text, agent).splitlines())))
    assert outputs[: len(steps)] == outputs[len(steps) :]


def test_a_key_of_serfs_keygen_can_be_installed(new_cluster: NewCluster) -> None:
    (agent,) = new_cluster(encrypt=FIRST).start(gossipd=1)
    made = subprocess.run(["serf", "keygen"], capture_output=True, text=True, check=True)
    key = made.stdout.strip()
    assert serf(agent, "keys", "-install", key)[0] == 0
    assert key in serf(agent, "keys", "-list")[1]


def test_monitor_shows_user_events_and_queries_the_same(lone: list[AgentProcess]) -> None:
    shown = []
    for agent in lone:
        with agent.rpc() as probe, agent.rpc() as other:
            probe.follow("user:shown,query:shown")
            other.event("shown", b"v1")
            record = probe.next_record(5.0)
            shown.append((sorted(record), {**record, "LTime": 0}))
            other.call("query", {"Name": "shown", "Payload": b"x", "Timeout": 10**8})
            record = probe.next_record(5.0)
            shown.append((sorted(record), {**record, "LTime": 0}))
    assert shown[:2] == shown[2:]


@pytest.mark.parametrize("encrypt", ["", FIRST], ids=["plain", "encrypted"])
def test_a_mixed_cluster_is_asked_and_told_from_both_sides(
    new_cluster: NewCluster, encrypt: str
) -> None:
    cluster = new_cluster(more=HANDLERS, encrypt=encrypt)
    cluster.start(serf=2, gossipd=2)
    cluster.join_all()
    cluster.wait_until_all_met()
    names = {agent.name for agent in cluster.agents}
    for kind in BOTH:
        asker = cluster.of(kind)[0]
        others = [agent for agent in cluster.agents if agent is not asker]
        probes = [agent.rpc() for agent in others]
        try:
            for probe in probes:
                probe.follow(f"user:from-{kind.name}")
            code, text = serf(asker, "event", f"from-{kind.name}", "v1")
            assert code == 0, text
            assert [_payload(probe) for probe in probes] == [b"v1"] * 3
        finally:
            for probe in probes:
                probe.close()
        code, text = serf(asker, "query", "-format=json", "load")
        found = json.loads(text)
        assert code == 0
        assert (set(found["Acks"]), set(found["Responses"])) == (names, names)
        assert set(found["Responses"].values()) == {"0.42\n"}
        if encrypt:
            assert f"{FIRST}  [4/4]" in serf(asker, "keys", "-list")[1]


def _payload(probe: RpcProbe) -> bytes:
    payload: bytes = probe.next_record(10.0)["Payload"]
    return payload


def test_a_query_of_a_serf_is_answered_by_a_client_of_a_gossipd(new_cluster: NewCluster) -> None:
    cluster = new_cluster()
    theirs, ours = cluster.start(serf=1, gossipd=1)
    cluster.join_all()
    cluster.wait_until_all_met()
    asking = subprocess.Popen(
        ["serf", "query", "-rpc-addr", theirs.options.rpc, "-timeout=3s", "-format=json", "who"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with ours.rpc() as probe:
        probe.follow("query:who")
        record = probe.next_record(3.0)
        seq = probe.send("respond", {"ID": record["ID"], "Payload": b"me"})
        assert probe.read_object() == {"Error": "", "Seq": seq}
        seq = probe.send("respond", {"ID": record["ID"], "Payload": b"again"})
        prefix = "failed to respond to key query: "
        assert probe.read_object() == {"Error": f"{prefix}response already sent", "Seq": seq}
    text, _ = asking.communicate(timeout=30)
    assert json.loads(text)["Responses"] == {ours.name: "me"}


def test_round_trips_are_estimated_from_both_sides(new_cluster: NewCluster) -> None:
    cluster = new_cluster(profile="local")
    cluster.start(serf=1, gossipd=2)
    cluster.join_all()
    cluster.wait_until_all_met()
    a, b, c = (agent.name for agent in cluster.agents)
    for agent in cluster.agents:
        for pair in ((a, b), (b, c), (c, a)):

            def estimated(agent: AgentProcess = agent, pair: tuple[str, str] = pair) -> bool:
                code, text = serf(agent, "rtt", *pair)
                return code == 0 and re.search(r"<-> \w+ rtt: \d+\.\d{3} ms$", text) is not None

            wait_for(estimated, 20.0, f"{pair} at {agent!r}")
        code, text = serf(agent, "rtt", a, "nobody")
        assert (code, text.strip()) == (1, 'Could not find a coordinate for node "nobody"')
