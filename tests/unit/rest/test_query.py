"""Parameters in Go's words."""

from __future__ import annotations

import pytest

from gossipd.rest.query import (
    FALSE,
    TRUE,
    duration_of,
    flag,
    index_of,
    local_datacenter,
    refuse_tenants,
    wait_of,
)
from gossipd.rest.transport.target import read_target_untrusted
from gossipd.rest.values import Refused, Request


def asked(query: str, **headers: str) -> Request:
    target = read_target_untrusted(f"/v1/x?{query}".encode())
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method="GET", path="/v1/x", query=target.query, headers=named)


@pytest.mark.parametrize(
    "text", ["passing", "passing=", *(f"passing={word}" for word in sorted(TRUE))]
)
def test_a_flag_that_is_set(text: str) -> None:
    assert flag(asked(text), "passing")


@pytest.mark.parametrize("text", ["", "other=1", *(f"passing={word}" for word in sorted(FALSE))])
def test_a_flag_that_is_not_set(text: str) -> None:
    assert not flag(asked(text), "passing")


@pytest.mark.parametrize("word", ["yes", "tRUE", "2", " true"])
def test_a_flag_that_is_no_boolean(word: str) -> None:
    with pytest.raises(Refused, match=r"^Invalid value for \?passing$"):
        flag(asked(f"passing={word}"), "passing")


@pytest.mark.parametrize(
    ("text", "index"),
    [("", 0), ("index=", 0), ("index=0", 0), ("index=41", 41), (f"index={2**64 - 1}", 2**64 - 1)],
)
def test_an_index(text: str, index: int) -> None:
    assert index_of(asked(text)) == index


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "0x10", str(2**64), "9" * 400, "%D9%A1", "+1"])
def test_what_is_no_index(text: str) -> None:
    with pytest.raises(Refused, match=r"^Invalid index$"):
        index_of(asked(f"index={text}"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 300),
        ("2s", 2),
        ("1m30s", 90),
        ("120000ms", 120),
        ("525s", 525),
        ("0", 0),
        ("0s", 0),
        ("1.5h", 5400),
        ("99999999999h", 99999999999 * 3600),
        ("%2B5s", 5),
    ],
)
def test_a_wait(text: str, seconds: float) -> None:
    assert wait_of(asked(f"wait={text}"), 300) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["10", "-5s", "s", "1x", "1e3s", "nan", "inf", "5 s", "1s " * 99])
def test_what_is_no_wait(text: str) -> None:
    with pytest.raises(Refused, match=r"^Invalid wait time$"):
        wait_of(asked(f"wait={text}"), 300)


def test_another_duration_says_its_name() -> None:
    with pytest.raises(Refused, match=r"^Invalid value for \?ttl$"):
        duration_of(asked("ttl=5"), "ttl", 1)


@pytest.mark.parametrize("text", ["", "ns=", "ns=default", "partition=default&peer=", "nsx=1"])
def test_the_one_namespace_there_is(text: str) -> None:
    refuse_tenants(asked(text, x_consul_namespace="default", x_consul_partition=""))


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (asked("ns=team"), "Invalid value for ?ns: namespaces are not offered"),
        (asked("ns=default&ns=x"), "Invalid value for ?ns: namespaces are not offered"),
        (asked("peer=x"), "Invalid value for ?peer: peers are not offered"),
        (
            asked("", x_consul_namespace="x"),
            "Invalid x-consul-namespace: namespaces are not offered",
        ),
    ],
)
def test_another_namespace_is_refused(request_: Request, text: str) -> None:
    with pytest.raises(Refused) as refused:
        refuse_tenants(request_)
    assert (refused.value.status, refused.value.text) == (400, text)
    assert len(text) < 80


def test_another_datacenter_has_no_path() -> None:
    local_datacenter(asked("dc=dc1"), "dc1")
    local_datacenter(asked("dc="), "dc1")
    local_datacenter(asked(""), "dc1")
    with pytest.raises(Refused, match=r"^No path to datacenter$") as refused:
        local_datacenter(asked("dc=dc2"), "dc1")
    assert refused.value.status == 500
