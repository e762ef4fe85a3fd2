"""The page at ``/ui/``: one file for the browser, put together from the files in ``ui/``.

No build step: style and scripts are put into the page when it is first asked for, and
their hashes into its content security policy, so that nothing else can run there and
nobody but this daemon is asked. The page itself is open; what it shows needs a token.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

from gossipd.rest.values import OPEN, TEXT, Refused, Reply, Request, Route
from gossipd.value import Value

if TYPE_CHECKING:
    from gossipd.rest.desk import Desk

HTML = "text/html; charset=utf-8"
SCRIPTS = ("dom.js", "stream.js", "tables.js", "graph.js", "main.js")
STYLE_PLACE, SCRIPT_PLACE = "/*STYLE*/", "/*SCRIPT*/"


class Page(Value):
    """The page, and what is sent with it."""

    body: bytes
    headers: tuple[tuple[str, str], ...]
    tag: str


@cache
def read_page() -> Page:
    """Return the page; read from the package once."""
    from importlib.resources import files  # with the first who looks

    parts = files("gossipd.rest.ui")
    style = parts.joinpath("page.css").read_text("utf-8")
    script = "\n".join(parts.joinpath(name).read_text("utf-8") for name in SCRIPTS)
    script = f"(() => {{\n{script}}})();\n"
    page = parts.joinpath("page.html").read_text("utf-8")
    body = page.replace(STYLE_PLACE, style).replace(SCRIPT_PLACE, script).encode()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = (
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-cache"),
        ("ETag", tag),
    )
    return Page(body, headers, tag)


def _hash(text: str) -> str:
    """Return the hash by which a policy names an inline style or script (CSP 3, section 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


async def page(request: Request, desk: Desk) -> Reply:
    """Answer with the page; ``/ui`` leads to ``/ui/``, which is the same place to routes."""
    if not desk.config.ui:
        raise Refused(404, "The page is turned off (http.ui)")
    if not request.path.endswith("/"):
        return Reply(status=307, content_type=TEXT, headers=(("Location", "/ui/"),))
    found = read_page()
    if request.headers.get("if-none-match", "") == found.tag:
        return Reply(status=304, headers=found.headers)
    return Reply(body=found.body, content_type=HTML, headers=found.headers)


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        pattern="/ui",
        handler=page,
        level=OPEN,
        summary="The page for browsers.",
    ),
)
