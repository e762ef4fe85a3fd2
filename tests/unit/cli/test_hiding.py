"""What must not stand in a bug report, in the forms in which programs write it."""

from __future__ import annotations

import json

import pytest

from gossipd_cli.looking.hiding import HIDDEN, scrubbed, without_secrets


@pytest.mark.parametrize(
    "text",
    [
        "password=sesam",
        "--token=sesam",
        '{"status": "up", "db": {"password": "sesam"}}',
        '{"api_key":"ses\\"am sesam"}',
        r'said "{\"password\": \"sesam\"}"',
        'password="open sesam now"',
        "secret: 'open sesam'",
        "password => sesam",
        "connect --password sesam --port 5",
        "Authorization: Token sesam",
        "authorization: Digest username=x, response=sesam",
        "Set-Cookie: sid=1; user=sesam",
        "sent Bearer sesam.sesam",
        "DB_PWD=sesam",
        "passphrase=sesam",
        "credentials: sesam",
        "private_key=sesam",
        "AWS_SECRET_ACCESS_KEY=sesam/x",
        "http://u:p@sesam@host/x",
        "redis://:sesam@host:6379",
        "http://host/x?k=sesam",
        "-----BEGIN RSA PRIVATE KEY-----\nsesam\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_secret_is_found_in_text(text: str) -> None:
    assert "sesam" not in scrubbed(text)
    assert HIDDEN in scrubbed(text)
    assert scrubbed(scrubbed(text)) == scrubbed(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET http://10.0.0.1:8080/health: 200 OK",
        "A token is needed",
        "member web-1 has no key of that name: see docs",
        "5 of 7 passing, bypass off",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrubbed(text) == text


def test_json_stays_json() -> None:
    value = {"refused.token": 3, "tokens": [1], "has_secret": True, "password": None, "x": "y"}
    assert json.loads(scrubbed(json.dumps(value, indent=2))) == value
    told = json.loads(scrubbed(json.dumps({"token": 'a"b', "n": "Cookie: a\nz", "secret": "s"})))
    assert told["token"] == told["secret"] == HIDDEN
    assert told["n"].endswith("\nz")


@pytest.mark.parametrize("key", ["db_pass", "DB_PWD", "pass", "ssh.key", "userPassword", "dsn"])
def test_a_value_is_hidden_for_its_name(key: str) -> None:
    assert without_secrets({key: "sesam"}) == {key: HIDDEN}
