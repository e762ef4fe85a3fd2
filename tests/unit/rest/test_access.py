"""Who may ask what, with which token."""

from __future__ import annotations

import pytest

from gossipd.config.faces import HttpConfig
from gossipd.rest.transport.access import Access, without_tokens
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


ON_LOOPBACK = HttpConfig(addr="127.0.0.1:8500")
PROXIED = HttpConfig(addr="127.0.0.1:8500", hosts=("gossipd.example.com",))
ABROAD = HttpConfig(addr="10.0.0.1:8500", insecure=True)


@pytest.mark.parametrize(
    ("config", "host", "status"),
    [
        (ON_LOOPBACK, "127.0.0.1:8500", 200),
        (ON_LOOPBACK, "[::1]:8500", 200),
        (ON_LOOPBACK, "LocalHost:8500", 200),
        (ON_LOOPBACK, "consul:8500", 200),
        (ON_LOOPBACK, "gossipd.default.svc.cluster.local:8500", 200),
        (ON_LOOPBACK, "consul.service.consul.:8500", 200),
        (ON_LOOPBACK, "", 200),
        (ON_LOOPBACK, "rebound.example.com:8500", 403),
        (ON_LOOPBACK, "rebound.example.com.", 403),
        (ON_LOOPBACK, "127.0.0.1.example.com", 403),
        (ON_LOOPBACK, "localhost.example.com:8500", 403),
        (HttpConfig(), "rebound.example.com", 403),
        (HttpConfig(addr="[::1]:8500", token="wr1te"), "rebound.example.com", 403),
        (HttpConfig(addr="localhost:8500", insecure=True), "rebound.example.com", 403),
        (PROXIED, "Gossipd.Example.com", 200),
        (PROXIED, "127.0.0.1:8500", 200),
        (PROXIED, "other.example.com", 403),
        (ABROAD, "node1.example.com:8500", 200),
        (HttpConfig(addr="10.0.0.1:8500", token="wr1te"), "node1.example.com:8500", 200),
        (HttpConfig(addr="10.0.0.1:8500", insecure=True, hosts=("a.example",)), "b.example", 403),
    ],
)
def test_what_needs_no_token_is_not_told_under_a_name_that_anybody_may_own(
    config: HttpConfig, host: str, status: int
) -> None:
    assert verdict(config, READ, host=host) == status
    assert verdict(config, OPEN, host=host) == 200
    if not config.token:
        assert verdict(config, WRITE, host=host) == status


def test_who_shows_a_token_may_call_us_as_he_likes() -> None:
    guarded = HttpConfig(addr="127.0.0.1:8500", token="wr1te", read_token="r3ad")
    shown = {"host": "any.example.com", "x_consul_token": "wr1te", "origin": "https://a.example"}
    assert verdict(guarded, READ, **shown) == 200
    assert verdict(guarded, WRITE, **shown) == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8500"}, 200),
        ({"origin": "https://127.0.0.1:8500", "sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"origin": "http://127.0.0.1:3000"}, 403),
        ({"origin": "https://a.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
    ],
)
@pytest.mark.parametrize("config", [ON_LOOPBACK, ABROAD])
def test_a_page_of_another_origin_commands_nothing(
    config: HttpConfig, headers: dict[str, str], status: int
) -> None:
    assert verdict(config, WRITE, host="127.0.0.1:8500", **headers) == status
    assert verdict(config, READ, host="127.0.0.1:8500", **headers) == 200
