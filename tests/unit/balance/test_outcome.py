"""What counts against an instance, and what was never sent."""

from __future__ import annotations

import pytest

from gossipd.balance.outcome import is_failure, was_never_sent


class Answer:
    def __init__(self, status_code: object) -> None:
        self.status_code = status_code


class StatusError(Exception):
    def __init__(self, status_code: int) -> None:
        super().__init__("status")
        self.response = Answer(status_code)


class ConnectError(Exception):
    """Named as httpx's."""


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        (None, False),
        ("text", False),
        (Answer(200), False),
        (Answer(404), False),
        (Answer(500), True),
        (Answer(501), False),
        (Answer(503), True),
        (Answer("500"), False),
        (StatusError(404), False),
        (StatusError(502), True),
        (TimeoutError(), True),
        (OSError(104, "reset"), True),
    ],
)
def test_failures_are_told_from_answers(outcome: object, failed: bool) -> None:
    assert is_failure(outcome) is failed


def test_only_what_cannot_have_arrived_was_never_sent() -> None:
    wrapped = OSError("all attempts failed")
    wrapped.__cause__ = ConnectionRefusedError()
    circular = OSError()
    circular.__context__ = ValueError()
    circular.__context__.__context__ = circular
    assert was_never_sent(ConnectionRefusedError())
    assert was_never_sent(ConnectError())
    assert was_never_sent(wrapped)
    assert not was_never_sent(circular)
    assert not was_never_sent(TimeoutError())
    assert not was_never_sent(ConnectionResetError())
    assert not was_never_sent(Answer(503))
