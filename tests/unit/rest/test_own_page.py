"""The page: one file, nothing from elsewhere, and a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from gossipd.rest.ui import page as own_page
from gossipd.rest.ui.page import read_page
from gossipd.rest.values import Refused, Reply, Request
from support.fake_handle import FakeHandle
from support.own_desk import make_desk


async def ask(path: str, headers: dict[str, str] | None = None, **config: bool) -> Reply:
    desk = make_desk(FakeHandle(), **config)
    request = Request(method="GET", path=path, headers=headers or {})
    reply = await own_page.page(request, desk)
    assert isinstance(reply, Reply)
    return reply


def hashes(tag: str) -> list[str]:
    text = read_page().body.decode()
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = [hashlib.sha256(each.encode()).digest() for each in found]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


async def test_the_policy_names_the_very_style_and_script_of_the_page() -> None:
    reply = await ask("/ui/")
    policy = dict(reply.headers)["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    (style,), (script,) = hashes("style"), hashes("script")
    assert f"style-src {style};" in policy
    assert f"script-src {script};" in policy


def test_the_page_asks_no_other_host_and_has_no_inline_handlers() -> None:
    text = read_page().body.decode()
    outside = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", text))
    assert outside == {"http://www.w3.org"}, "the name of a language, not a place"
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text)
    assert not re.search(r"\sstyle\s*=", text)
    assert own_page.STYLE_PLACE not in text
    assert own_page.SCRIPT_PLACE not in text


def test_nothing_that_came_from_the_network_can_become_markup() -> None:
    text = read_page().body.decode()
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "srcdoc",
    ):
        assert way not in text


def test_script_and_style_cannot_end_before_their_end() -> None:
    body = read_page().body.decode()
    assert body.count("</script>") == 1
    assert body.count("</style>") == 1


async def test_a_browser_that_has_the_page_is_not_sent_it_again() -> None:
    first = await ask("/ui/")
    again = await ask("/ui/", {"if-none-match": dict(first.headers)["ETag"]})
    assert (again.status, again.body) == (304, b"")


async def test_without_the_slash_it_leads_there_and_it_can_be_turned_off() -> None:
    reply = await ask("/ui")
    assert (reply.status, dict(reply.headers)["Location"]) == (307, "/ui/")
    with pytest.raises(Refused) as refused:
        await ask("/ui/", ui=False)
    assert refused.value.status == 404


def test_the_page_is_small() -> None:
    assert len(read_page().body) < 64 * 1024
