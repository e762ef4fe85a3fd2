"""Who may ask what, with which token."""

from __future__ import annotations

import pytest

from gossipd.config.faces import HttpConfig
from gossipd.rest.access import Access, without_tokens
from gossipd.rest.values import OPEN, READ, WRITE, Refused

BOTH = HttpConfig(token="wr1te", read_token="r3ad")
ONE = HttpConfig(token="wr1te")


def verdict(config: HttpConfig, level: str, in_query: str = "", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        Access(config).check(level, named, (in_query,))
    except Refused as error:
        refused = error
    else:
        return 200
    assert len(refused.text) < 80
    assert not any(token in refused.text for token in ("wr1te", "r3ad", "guess"))
    return refused.status


@pytest.mark.parametrize(
    ("config", "level", "token", "status"),
    [
        (HttpConfig(), WRITE, "", 200),
        (HttpConfig(), WRITE, "guess", 200),
        (ONE, OPEN, "", 200),
        (ONE, READ, "", 200),
        (ONE, READ, "guess", 200),
        (ONE, WRITE, "", 401),
        (ONE, WRITE, "guess", 403),
        (ONE, WRITE, "wr1te", 200),
        (BOTH, OPEN, "guess", 200),
        (BOTH, READ, "", 401),
        (BOTH, READ, "guess", 403),
        (BOTH, READ, "r3ad", 200),
        (BOTH, READ, "wr1te", 200),
        (BOTH, WRITE, "", 401),
        (BOTH, WRITE, "r3ad", 403),
        (BOTH, WRITE, "wr1te", 200),
        (BOTH, WRITE, "wr1te ", 200),
        (BOTH, WRITE, "wr1te2", 403),
    ],
)
def test_what_a_token_allows(config: HttpConfig, level: str, token: str, status: int) -> None:
    assert verdict(config, level, authorization=f"Bearer {token}") == status
    assert verdict(config, level, authorization=f"bearer {token}") == status
    if token == token.strip():
        assert verdict(config, level, x_consul_token=token) == status
        assert verdict(config, level, token) == status


def test_one_right_token_among_several_is_enough() -> None:
    assert verdict(BOTH, WRITE, "guess", x_consul_token="wr1te") == 200


@pytest.mark.parametrize("value", ["Basic wr1te", "Bearer", "wr1te", "Bearer \xff"])
def test_other_credentials_are_none(value: str) -> None:
    assert verdict(BOTH, WRITE, authorization=value) in (401, 403)


def test_handlers_see_no_tokens() -> None:
    headers = {"authorization": "Bearer a", "x-consul-token": "b", "host": "c"}
    assert without_tokens(headers) == {"host": "c"}
    plain = {"host": "c"}
    assert without_tokens(plain) is plain
