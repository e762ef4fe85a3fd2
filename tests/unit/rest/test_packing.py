"""gzip: for whom, of what, and once for all who want the same answer."""

from __future__ import annotations

import gzip

import pytest
import trio
import trio.testing

from gossipd.rest.transport.packing import (
    PACKED_BYTES_MAX,
    PACKED_KEPT_MAX,
    Packed,
    accepts_gzip,
    is_worth_packing,
)
from gossipd.rest.values import TEXT, Reply


@pytest.mark.parametrize(
    ("offer", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("gzip; q=0.001", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("br, deflate", False),
        ("notgzip", False),
    ],
)
def test_who_takes_gzip(offer: str, accepted: bool) -> None:
    assert accepts_gzip(offer) is accepted


@pytest.mark.parametrize(
    ("reply", "is_worth"),
    [
        (Reply(body=b"x" * 1024), True),
        (Reply(body=b"x" * 1023), False),
        (Reply(body=b"x" * 2000, content_type=TEXT), True),
        (Reply(body=b"x" * 2000, content_type="image/svg+xml"), True),
        (Reply(body=b"x" * 2000, content_type="image/png"), False),
        (Reply(body=b"x" * 2000, headers=(("content-encoding", "gzip"),)), False),
    ],
)
def test_what_gzip_pays_for(reply: Reply, is_worth: bool) -> None:
    assert is_worth_packing(reply) is is_worth


@pytest.mark.parametrize("length", [0, 1, 131_072, 131_073, 1_000_000])
async def test_portions_make_one_gzip_file(length: int) -> None:
    body = b"0123456789" * (length // 10) + b"x" * (length % 10)
    assert gzip.decompress(await Packed().of(body)) == body


async def test_what_was_compressed_is_found_by_its_identity() -> None:
    packed = Packed()
    bodies = [bytes([n]) * 2000 for n in range(PACKED_KEPT_MAX + 1)]
    first = [await packed.of(body) for body in bodies]
    assert await packed.of(bodies[1]) is first[1]
    assert packed.made == len(bodies)
    assert await packed.of(bodies[0]) == first[0]
    assert packed.made == len(bodies) + 1, "the oldest was forgotten"
    assert await packed.of(bytes(bytearray(bodies[5]))) is not first[5]


async def test_what_is_kept_compressed_is_bounded() -> None:
    packed = Packed()
    huge = b"x" * PACKED_BYTES_MAX
    for _ in range(2):
        await packed.of(huge)
    assert packed.made == 2
    large = [bytes([n]) * (PACKED_BYTES_MAX // 3) for n in range(4)]
    for body in large:
        await packed.of(body)
    assert packed._bytes <= PACKED_BYTES_MAX
    await packed.of(large[3])
    assert packed.made == 6
    await packed.of(large[0])
    assert packed.made == 7


async def test_many_who_want_the_same_have_it_compressed_once() -> None:
    packed, found = Packed(), []
    body = b"x" * (2 * PACKED_BYTES_MAX)  # too long to be kept

    async def want() -> None:
        found.append(await packed.of(body))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(want)
    assert packed.made == 1
    assert len({id(one) for one in found}) == 1


async def test_who_gives_up_leaves_it_to_the_next() -> None:
    packed, body, first = Packed(), b"x" * 1_000_000, trio.CancelScope()

    async def want_first(task_status: trio.TaskStatus[None]) -> None:
        with first:
            task_status.started()
            await packed.of(body)

    async with trio.open_nursery() as nursery:
        await nursery.start(want_first)
        await trio.lowlevel.checkpoint()
        assert packed._under_way
        nursery.start_soon(packed.of, body)
        await trio.lowlevel.checkpoint()
        first.cancel()
    assert first.cancelled_caught
    assert packed.made == 1
    assert packed._under_way == {}
