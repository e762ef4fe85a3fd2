"""Records to lines and back: Serf's own file, ours, and files that are broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossipd.address import Address, address_from_host
from gossipd.serf.events import ChangeKind, MemberChange, SerfMember
from gossipd.serf.memory import Memory
from gossipd.serf.snapshot import (
    COMPLAINTS_MAX,
    LINE_BYTES_MAX,
    SIZE_MIN,
    Replay,
    Snapshot,
    replay_untrusted,
)
from gossipd.wire.messages import Versions
from gossipd.wire.serf_messages import LAMPORT_TIME_MAX, MemberStatus

HERE = Path(__file__).parent
V4 = address_from_host("10.0.0.4", 7946)
V6 = address_from_host("fe80::5", 7947)
STATUSES = {
    ChangeKind.JOIN: MemberStatus.ALIVE,
    ChangeKind.UPDATE: MemberStatus.ALIVE,
    ChangeKind.FAILED: MemberStatus.FAILED,
    ChangeKind.LEAVE: MemberStatus.LEFT,
    ChangeKind.REAP: MemberStatus.FAILED,
}


def change(kind: ChangeKind, name: str, address: Address = V4) -> MemberChange:
    return MemberChange(kind, SerfMember(name, address, {}, STATUSES[kind], Versions(), 1))


def replay(data: bytes, *, rejoin: bool = False) -> Replay:
    return replay_untrusted([data], rejoin_after_leave=rejoin)


def state(snapshot: Snapshot) -> tuple[dict[str, Address], dict[str, Address], Memory]:
    return snapshot.alive, snapshot.failed, snapshot.memory


def test_a_snapshot_written_by_serf_is_read() -> None:
    """It is of an agent that was killed, of three; "s two" was gone before."""
    read = replay((HERE / "snapshots" / "serf-0.9.4").read_bytes())
    assert read.complaints == ()
    assert read.snapshot.alive == {
        "s1": address_from_host("127.77.0.1", 7946),
        "s3": address_from_host("::1", 17946),
    }
    assert read.snapshot.memory == Memory(2, 2, 1)


def test_changes_become_lines_in_the_form_of_serf() -> None:
    snapshot = Snapshot()
    assert snapshot.record(change(ChangeKind.JOIN, "a b")) == b"alive: a b 10.0.0.4:7946\n"
    assert snapshot.record(change(ChangeKind.JOIN, "c", V6)) == b"alive: c [fe80::5]:7947\n"
    assert snapshot.record(change(ChangeKind.LEAVE, "c")) == b"not-alive: c\n"
    failed = snapshot.record(change(ChangeKind.FAILED, "a b"))
    assert failed == b"not-alive: a b\n# gossipd failed: a b 10.0.0.4:7946\n"
    assert snapshot.record(change(ChangeKind.REAP, "a b")) == b"not-alive: a b\n"
    assert snapshot.witness(Memory(4, 0, 2)) == b"clock: 4\nquery-clock: 2\n"
    assert snapshot.leave() == b"leave\n"


def test_what_is_no_news_is_no_record() -> None:
    snapshot = Snapshot()
    snapshot.record(change(ChangeKind.JOIN, "a"))
    snapshot.witness(Memory(4, 5, 6))
    assert snapshot.record(change(ChangeKind.UPDATE, "a")) == b""
    assert snapshot.record(change(ChangeKind.LEAVE, "b")) == b""
    assert snapshot.witness(Memory(4, 5, 6)) == b""
    assert snapshot.witness(Memory(3, 5, 5)) == b""
    assert snapshot.memory == Memory(4, 5, 6)


def test_a_member_that_moved_is_recorded_again() -> None:
    snapshot = Snapshot()
    snapshot.record(change(ChangeKind.JOIN, "a"))
    assert snapshot.record(change(ChangeKind.UPDATE, "a", V6)) == b"alive: a [fe80::5]:7947\n"


def test_nothing_is_recorded_after_a_leave() -> None:
    snapshot = Snapshot()
    snapshot.leave()
    assert snapshot.leave() == b""
    assert snapshot.record(change(ChangeKind.JOIN, "a")) == b""
    assert snapshot.witness(Memory(9, 9, 9)) == b""


def test_a_leave_clears_everything_before_it_unless_we_rejoin() -> None:
    data = b"alive: a 10.0.0.4:7946\n# gossipd failed: f 10.0.0.4:1\nclock: 4\nleave\n"
    read = replay(data)
    assert read.left
    assert state(read.snapshot) == ({}, {}, Memory())
    read = replay(data, rejoin=True)
    assert read.left
    assert state(read.snapshot) == ({"a": V4}, {"f": Address(V4.ip, 1)}, Memory(4))
    assert not read.snapshot.has_left


def test_records_behind_a_leave_belong_to_a_new_life() -> None:
    read = replay(b"alive: a 10.0.0.4:7946\nleave\nalive: b 10.0.0.4:7946\nclock: 3\n")
    assert not read.left
    assert state(read.snapshot) == ({"b": V4}, {}, Memory(3))


def test_a_torn_last_line_is_dropped_wherever_it_was_torn() -> None:
    whole = b"alive: a 10.0.0.4:7946\nclock: 1\n"
    last = b"alive: b 10.0.0.4:17946\n"
    for end in range(len(last)):
        read = replay(whole + last[:end])
        assert state(read.snapshot) == ({"a": V4}, {}, Memory(1)), end
        assert read.complaints == ()
    assert len(replay(whole + last).snapshot.alive) == 2


@pytest.mark.parametrize(
    "line",
    [
        b"alive: a",
        b"alive: a host:7946",
        b"alive: a 10.0.0.4",
        b"alive: a 10.0.0.4:99999",
        b"alive:  10.0.0.4:7946",
        b"alive: a 0.0.0.0:7946",
        b"clock: -1",
        b"clock: x",
        b"clock: 9223372036854775808",
        b"clock: " + b"9" * 2000,
        b"leaves",
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_a_line_that_is_not_understood_is_told_and_skipped(line: bytes) -> None:
    read = replay(b"clock: 2\n" + line + b"\nevent-clock: 3\n")
    assert len(read.complaints) == 1
    assert "\n" not in read.complaints[0]
    assert len(read.complaints[0]) < 500
    assert state(read.snapshot) == ({}, {}, Memory(2, 3))


@pytest.mark.parametrize("line", [b"# any", b"# gossipd later: x", b"coordinate: {}", b"#"])
def test_comments_and_old_coordinates_are_skipped_silently(line: bytes) -> None:
    assert replay(line + b"\n").complaints == ()


def test_the_last_legal_lamport_time_is_kept() -> None:
    read = replay(b"clock: %d\n" % LAMPORT_TIME_MAX)
    assert read.snapshot.memory.clock == LAMPORT_TIME_MAX


def test_garbage_costs_a_bounded_number_of_complaints_and_no_long_line_is_kept() -> None:
    data = b"x" * (3 * LINE_BYTES_MAX) + b"\nclock: 5\n" + b"y\n" * 5000
    chunks = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    read = replay_untrusted(chunks, rejoin_after_leave=False)
    assert len(read.complaints) == COMPLAINTS_MAX + 1
    assert read.complaints[-1].startswith(f"{5001 - COMPLAINTS_MAX} more")
    assert read.snapshot.memory == Memory(5)


def test_members_are_bounded_and_failed_ones_given_up_first() -> None:
    lines = [b"# gossipd failed: f%d 10.0.0.4:1\n" % i for i in range(3)]
    lines += [b"alive: a%d 10.0.0.4:1\n" % i for i in range(5)]
    read = replay_untrusted(lines, rejoin_after_leave=False, members_max=4)
    assert list(read.snapshot.alive) == ["a0", "a1", "a2", "a3"]
    assert read.snapshot.failed == {}


@pytest.mark.parametrize("name", ["a\nleave", "n" * 513])
def test_a_name_that_no_line_can_hold_forges_none(name: str) -> None:
    snapshot = Snapshot()
    assert snapshot.record(change(ChangeKind.JOIN, name)) == b""
    assert snapshot.record(change(ChangeKind.FAILED, name)) == b""
    assert state(snapshot) == ({}, {}, Memory())


def test_a_member_without_an_address_is_not_remembered() -> None:
    assert Snapshot().record(change(ChangeKind.JOIN, "a", Address(b"", 0))) == b""


def test_the_longest_name_fits_into_a_line() -> None:
    snapshot = Snapshot()
    line = snapshot.record(change(ChangeKind.FAILED, "\U0001f600" * 512, V6))
    assert max(map(len, line.split(b"\n"))) <= LINE_BYTES_MAX
    assert replay(line).snapshot.failed == snapshot.failed


def test_a_file_is_worth_rewriting_above_a_size_that_grows_with_the_members() -> None:
    snapshot = Snapshot()
    assert snapshot.size_limit == SIZE_MIN
    for i in range(1000):
        snapshot.record(change(ChangeKind.JOIN, f"a{i}"))
    assert snapshot.size_limit == 256_000


names = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\n"), min_size=1, max_size=20
) | st.binary(min_size=1, max_size=8).map(
    lambda data: data.replace(b"\n", b" ").decode("utf-8", "surrogateescape")
)
addresses = st.builds(
    Address,
    st.binary(min_size=4, max_size=4).map(lambda ip: b"\x0a" + ip[1:]),
    st.integers(1, 65535),
)
changes = st.builds(change, st.sampled_from(list(ChangeKind)), names, addresses)
times = st.builds(Memory, *[st.integers(0, LAMPORT_TIME_MAX)] * 3)


@given(st.lists(changes | times, max_size=40), st.integers(1, 50))
def test_lines_read_back_are_the_state_that_wrote_them(
    records: list[MemberChange | Memory], portion: int
) -> None:
    snapshot = Snapshot()
    written = bytearray()
    for record in records:
        if isinstance(record, Memory):
            written += snapshot.witness(record)
        else:
            written += snapshot.record(record)
    compacted = b"".join(snapshot.copy().text())
    for data in (bytes(written), compacted):
        chunks = [data[at : at + portion] for at in range(0, len(data), portion)]
        read = replay_untrusted(chunks, rejoin_after_leave=False)
        assert read.complaints == ()
        assert state(read.snapshot) == state(snapshot)


@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_raise_an_error(data: bytes, rejoin: bool) -> None:
    for prefix in (b"", b"alive: ", b"clock: ", b"# gossipd failed: "):
        replay(prefix + data + b"\n", rejoin=rejoin)
