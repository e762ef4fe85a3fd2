"""What a restart remembers of services, and of the epoch; damaged files and failing disks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from gossipd.agent.services.keeper import AGAIN, REST, SOON, ServicesKeeper
from gossipd.agent.state.epoch_file import EPOCH_MAX, next_epoch
from gossipd.agent.state.services_file import encoded, read_services, write_services
from gossipd.services.definition import (
    CheckDefinition,
    CheckState,
    NodeState,
    Service,
    ServiceState,
)
from gossipd.services.own import (
    FROM_CLIENT,
    FROM_CONFIG,
    FROM_CONNECTION,
    OwnService,
    OwnServices,
)


def own_service(name: str, source: str, output: str = "") -> OwnService:
    check = CheckDefinition(id=f"{name}-check", kind="ttl", ttl=5.0)
    return OwnService(
        service=Service(id=name, name=name, port=80, meta={"a": "ü"}, checks=(check,)),
        state=ServiceState(statuses=("passing",), weight=3, load=0.5, maintenance="why"),
        checks=(CheckState(check.id, "", "ttl", "passing", output),),
        source=source,
    )


OWN = OwnServices(
    node=NodeState(zone="east", maintenance="soon"),
    services=tuple(
        own_service(name, source)
        for name, source in (("a", FROM_CLIENT), ("b", FROM_CONFIG), ("c", FROM_CONNECTION))
    ),
)


def test_what_is_written_is_read_again_but_for_what_a_connection_held(tmp_path: Path) -> None:
    path = str(tmp_path / "services.json")
    assert read_services(path) == (None, "")
    write_services(path, encoded(OWN))
    found, note = read_services(path)
    assert note == ""
    assert found is not None
    assert found.node == OWN.node
    assert found.services == OWN.services[:2]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Expecting value"),
        (b'{"format": 1, "services": [', "Expecting value"),
        (b"\xff\xfe\x00", "decode"),
        (b"[]", "it is not of format 1"),
        (b'{"format": 2}', "it is not of format 1"),
        (b'{"format": 1, "services": {"web": 1}}', "services: it is not a list"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_file_is_told_and_set_aside(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "services.json"
    path.write_bytes(data)
    found, note = read_services(str(path))
    assert found is None
    assert words in note
    assert note.endswith(f"it was put to {path}.damaged")
    assert not path.exists()
    assert (tmp_path / "services.json.damaged").read_bytes() == data


def test_one_service_that_cannot_be_read_does_not_cost_the_others(tmp_path: Path) -> None:
    path = tmp_path / "services.json"
    table = json.loads(encoded(OWN))
    table["services"].insert(1, {"service": {"name": "odd", "port": -1}})
    table["node"]["zone"] = 7
    path.write_text(json.dumps(table))
    found, note = read_services(str(path))
    assert found is not None
    assert [one.service.id for one in found.services] == ["a", "b"]
    assert note.startswith(f"services file {path}: node.zone: 7 is not text of one line; 2 of its")
    assert note.endswith(f"it was copied to {path}.damaged")
    assert (tmp_path / "services.json.damaged").read_bytes() == path.read_bytes()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "services.json"
    path.mkdir()
    found, note = read_services(str(path))
    assert found is None
    assert note == f"services file {path}: is a directory; nothing is restored"


@pytest.mark.parametrize(
    ("kept", "now_ms", "epoch", "is_told"),
    [
        (None, 1000, 1000, False),
        (b"999\n", 1000, 1000, False),
        (b"1000\n", 1000, 1001, False),
        (b"5000", 1000, 5001, False),  # the clock went back
        (b"", 1000, 1000, True),
        (b"x y", 1000, 1000, True),
        (b"-5", 1000, 1000, True),
        (b"%d" % EPOCH_MAX, 1000, 1000, True),
        (b"9" * 50, 1000, 1000, True),
    ],
)
def test_the_epoch_grows_with_each_life(
    tmp_path: Path, kept: bytes | None, now_ms: int, epoch: int, is_told: bool
) -> None:
    path = tmp_path / "catalog-epoch"
    if kept is not None:
        path.write_bytes(kept)
    found, note = next_epoch(str(path), now_ms)
    assert found == epoch
    assert bool(note) == is_told
    assert path.read_text() == f"{epoch}\n"
    assert next_epoch(str(path), 0) == (epoch + 1, "")


def test_an_epoch_that_cannot_be_kept_does_not_keep_a_node_from_starting(tmp_path: Path) -> None:
    path = str(tmp_path / "gone" / "catalog-epoch")
    epoch, note = next_epoch(path, 1000)
    assert epoch == 1000
    assert "no such file or directory" in note


class Disk:
    """Where the keeper writes, in the test's hand."""

    def __init__(self) -> None:
        self.writes: list[tuple[float, bytes]] = []
        self.failure = ""
        self.token = trio.lowlevel.current_trio_token()
        self.own = OWN
        self.lines: list[str] = []

    def write(self, path: str, data: bytes) -> None:
        at = trio.from_thread.run_sync(trio.current_time)
        if self.failure:
            raise OSError(self.failure)
        self.writes.append((at, data))

    def keeper(self) -> ServicesKeeper:
        return ServicesKeeper(
            "/x/services.json",
            lambda: self.own,
            lambda level, text: self.lines.append(f"[{level}] {text}"),
            self.write,
        )


async def pass_time(seconds: float) -> None:
    """Let time pass while threads do their work, which an autojump clock does not wait for."""
    await trio.sleep(seconds)
    for _ in range(200):
        await trio.to_thread.run_sync(lambda: None)


async def test_changes_are_written_together_and_only_if_something_is_new(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    disk = Disk()
    keeper = disk.keeper()
    nursery.start_soon(keeper.run)
    await trio.sleep(10)
    assert not disk.writes
    for _ in range(50):
        keeper.changed()
        await trio.lowlevel.checkpoint()
    await pass_time(2 * SOON)
    assert [data for _, data in disk.writes] == [encoded(OWN)]
    keeper.changed()
    await pass_time(10)
    assert len(disk.writes) == 1
    disk.own = OwnServices()
    keeper.changed()
    await pass_time(REST + 2 * SOON)
    assert disk.writes[-1][1] == encoded(OwnServices())
    nursery.cancel_scope.cancel()


async def test_at_the_end_what_waits_is_written_at_once(nursery: trio.Nursery) -> None:
    disk = Disk()
    keeper = disk.keeper()
    nursery.start_soon(keeper.run)
    await keeper.finish()
    assert not disk.writes
    keeper.changed()
    await keeper.finish()
    assert len(disk.writes) == 1
    nursery.cancel_scope.cancel()


async def test_a_disk_that_fails_is_told_once_and_tried_again(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    disk = Disk()
    disk.failure = "no space left on device"
    keeper = disk.keeper()
    nursery.start_soon(keeper.run)
    keeper.changed()
    await pass_time(3 * AGAIN)
    assert disk.lines == [
        "[ERR] agent: cannot write services file /x/services.json: no space left on device"
    ]
    disk.failure = ""
    await pass_time(2 * AGAIN)
    assert disk.lines[1:] == ["[INFO] agent: services file /x/services.json is written again"]
    assert len(disk.writes) == 1
    nursery.cancel_scope.cancel()
