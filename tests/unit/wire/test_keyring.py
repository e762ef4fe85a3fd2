"""The rules of the key ring (gossip.md, section 5.4), with the texts clients show."""

from __future__ import annotations

import pytest

from gossipd.errors import UsageError
from gossipd.wire.keyring import Keyring

A, B, C = b"a" * 16, b"b" * 24, b"c" * 32


def test_the_first_key_is_the_primary_and_added_ones_go_behind() -> None:
    ring = Keyring([A, B])
    ring.add(C)
    ring.add(B)
    assert ring.keys == (A, B, C)
    assert ring.primary == A


def test_an_empty_ring_has_no_primary_until_a_key_is_added() -> None:
    ring = Keyring()
    assert ring.primary is None
    assert len(ring) == 0
    ring.add(B)
    assert ring.primary == B


def test_using_a_key_moves_it_to_the_front() -> None:
    ring = Keyring([A, B, C])
    ring.use(C)
    assert ring.keys == (C, A, B)


def test_using_a_key_that_is_not_installed_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^Requested key is not in the keyring$"):
        Keyring([A]).use(B)


def test_the_primary_key_cannot_be_removed_and_an_unknown_one_is_no_error() -> None:
    ring = Keyring([A, B])
    with pytest.raises(UsageError, match=r"^Removing the primary key is not allowed$"):
        ring.remove(A)
    ring.remove(C)
    ring.remove(B)
    assert ring.keys == (A,)


@pytest.mark.parametrize("size", [0, 15, 17, 33])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match=r"^key size must be 16, 24 or 32 bytes$"):
        Keyring([bytes(size)])
