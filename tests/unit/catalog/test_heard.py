"""What is remembered of news: whether it came, and little memory."""

from __future__ import annotations

from sys import getsizeof

from gossipd.catalog.heard import HEARD_MAX, Heard


def news(number: int) -> bytes:
    return b"news %d" % number


def test_what_was_added_is_known_and_nothing_else() -> None:
    heard = Heard()
    assert b"" not in heard
    for number in range(200):
        heard.add(news(number))
    assert all(news(number) in heard for number in range(200))
    assert not any(news(number) in heard for number in range(200, 400))


def test_what_is_added_twice_counts_once() -> None:
    heard = Heard()
    for number in (*range(HEARD_MAX - 1), *range(HEARD_MAX - 1)):
        heard.add(news(number))
    heard.add(news(HEARD_MAX))
    assert news(0) in heard


def test_with_one_more_than_is_remembered_all_before_it_is_forgotten() -> None:
    heard = Heard()
    for number in range(HEARD_MAX + 1):
        heard.add(news(number))
    assert news(HEARD_MAX) in heard
    assert not any(news(number) in heard for number in range(HEARD_MAX))


def test_it_takes_a_few_bytes_for_each() -> None:
    heard = Heard()
    for number in range(HEARD_MAX):
        heard.add(news(number))
    assert getsizeof(heard._hashes) < 10 * HEARD_MAX
