"""Real daemons go from plain to encrypted and back as ``docs/encryption.md`` says."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from gossipd.client.blocking import Client
from support.agents import GOSSIPD, AgentProcess
from support.clusters import Cluster, NewCluster
from support.rpc_probe import RpcProbe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SIZE = 3


def settings(key: str, *, incoming: bool = True, outgoing: bool = True) -> str:
    switches = [f"verify_{name} = false" for name, on in (("incoming", incoming),
                ("outgoing", outgoing)) if not on]  # fmt: skip
    return "\n".join(
        ["leave_on_terminate = false", f'encrypt_key = "{key}"' if key else "", "[wire]", *switches]
    )


class Journey:
    """A cluster on its way; everybody must stay alive and hear every event."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._files = [folder / f"{number}.toml" for number in range(SIZE)]
        self._set(settings(""))
        self.agents = [
            cluster.prepare(GOSSIPD, f"n{number}", more=self._more(number, folder))
            for number in range(SIZE)
        ]
        self._sent = 0
        for agent in self.agents:
            agent.start()
        cluster.join_all()
        cluster.wait_until_all_alive()

    def _more(self, number: int, folder: Path) -> tuple[str, ...]:
        return ("--config", str(self._files[number]), "--data-dir", str(folder / f"d{number}"))

    def _set(self, text: str) -> None:
        for file in self._files:
            file.write_text(text)

    def restart_each_with(self, text: str) -> None:
        for file, agent in zip(self._files, self.agents, strict=True):
            file.write_text(text)
            agent.signal(signal.SIGTERM)
            agent.wait_until_ended()
            agent.start()
            self.check()

    def reload_each_with(self, text: str, applied: str) -> None:
        for file, agent in zip(self._files, self.agents, strict=True):
            file.write_text(text)
            with Client(agent.options.rpc) as client:
                assert list(client.reload().applied) == [applied]
            self.check()

    def check(self) -> None:
        self._cluster.wait_until_all_alive()
        self._sent += 1
        name = f"event-{self._sent}"
        probes: list[RpcProbe] = []
        try:
            for agent in self.agents:
                probes.append(agent.rpc())
                probes[-1].follow(f"user:{name}")
            sender = self.agents[self._sent % SIZE]
            with sender.rpc() as probe:
                probe.event(name, b"")
            for probe in probes:
                assert probe.next_record(30.0)["Name"] == name
        finally:
            for probe in probes:
                probe.close()

    def is_encrypted(self) -> list[bool]:
        return [encrypted(agent) for agent in self.agents]


def encrypted(agent: AgentProcess) -> bool:
    with agent.rpc() as probe:
        return bool(probe.stats()["serf"]["encrypted"] == "true")


def test_a_cluster_is_encrypted_and_plain_again_and_nobody_is_suspected(
    new_cluster: NewCluster, tmp_path: Path
) -> None:
    path = Journey(new_cluster(log_level="DEBUG"), tmp_path)
    path.check()
    path.restart_each_with(settings(KEY, incoming=False, outgoing=False))
    path.reload_each_with(settings(KEY, incoming=False), "wire.verify_outgoing")
    path.reload_each_with(settings(KEY), "wire.verify_incoming")
    assert path.is_encrypted() == [True] * SIZE
    with Client(path.agents[0].options.rpc) as client:
        assert client.list_keys().keys == {KEY: SIZE}

    path.reload_each_with(settings(KEY, incoming=False), "wire.verify_incoming")
    path.reload_each_with(settings(KEY, incoming=False, outgoing=False), "wire.verify_outgoing")
    path.restart_each_with(settings(""))
    assert path.is_encrypted() == [False] * SIZE
    for agent in path.agents:
        assert "Suspect" not in agent.log()
        assert "EventMemberFailed" not in agent.log()
        assert "EventMemberLeave" not in agent.log()
