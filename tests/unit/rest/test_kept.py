"""How much is kept of answers, and for questions of which length."""

from __future__ import annotations

from gossipd.rest.consul.reads.kept import KEPT_BYTES_MAX, KEPT_MAX, Kept
from gossipd.rest.values import Reply


def test_an_answer_is_found_while_it_was_made_from_the_same() -> None:
    kept, reply, view = Kept(), Reply(body=b"[]"), object()
    kept.keep("web", (1, view), reply)
    assert kept.find("web", (1, view)) is reply
    assert kept.find("web", (2, view)) is None
    assert (kept.hits, kept.misses) == (1, 1)


def test_long_questions_take_the_place_of_answers() -> None:
    kept = Kept()
    for number in range(KEPT_MAX):
        kept.keep(f"{number:08}" + "x" * 8000, (), Reply(body=b"[]"))
    assert 0 < len(kept) * 8000 * 8 <= KEPT_BYTES_MAX
    for number in range(KEPT_MAX):
        kept.keep(number, (), Reply(body=b"[]"))
    assert len(kept) == KEPT_MAX


def test_what_is_kept_anew_is_counted_once() -> None:
    kept = Kept()
    for _ in range(4):
        kept.keep("web", (), Reply(body=bytes(KEPT_BYTES_MAX // 2 - 1000)))
    kept.keep("db", (), Reply(body=bytes(1000)))
    assert len(kept) == 2
