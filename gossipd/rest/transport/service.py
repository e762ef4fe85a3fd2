"""``Service``: what all connections of the HTTP face share, and what a head means to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from gossipd.errors import GossipdError, Unavailable, UsageError
from gossipd.rest.desk import Desk
from gossipd.rest.query import flag, refuse_tenants
from gossipd.rest.transport.access import Access, without_tokens
from gossipd.rest.transport.browsers import Foreign
from gossipd.rest.transport.counting import (
    ACCEPTED,
    BAD_REQUEST,
    CLOSED,
    FAILED,
    FOREIGN,
    TOKEN,
    UNKNOWN,
    Counting,
)
from gossipd.rest.transport.departures import Departures
from gossipd.rest.transport.holding import Alarms, Door
from gossipd.rest.transport.http1 import Bad, Bodies, Head, Heads
from gossipd.rest.transport.limits import HttpLimits
from gossipd.rest.transport.packing import Packed, accepts_gzip
from gossipd.rest.transport.render import http_date, text_reply
from gossipd.rest.transport.routing import Table
from gossipd.rest.transport.target import read_target_untrusted
from gossipd.rest.values import REFUSAL_BYTES_MAX, TEXT, Refused, Reply, Request, Route

JUDGED_EARLY = 16_384
"""Longer bodies of requests that are refused anyway are not read."""
LOG_SECONDS = 1.0
"""Failures, and what clients can cause at will, are logged at most this often."""


class Plan:
    """What is done about requests with one head.

    Attributes:
        route: what answers, ``None`` if nothing does.
        request: what it is asked, without body and client.
        refusal: what is answered instead.
        is_foreign: whether that is because somebody else's page asks.
        takes_gzip, is_pretty: how the answer is wanted.
        sent: the last answer, its date, head and body as they were sent: as long as a
            handler returns the very same reply, they are sent again.
    """

    __slots__ = ("is_foreign", "is_pretty", "refusal", "request", "route", "sent", "takes_gzip")

    def __init__(self) -> None:
        self.route: Route | None = None
        self.request: Request | None = None
        self.refusal: Reply | None = None
        self.is_foreign = False
        self.takes_gzip = False
        self.is_pretty = False
        self.sent: tuple[Reply, str, bytes, bytes] | None = None


class Seldom:
    """Logs what may happen often; the ones in between are counted only."""

    def __init__(self, log: Callable[[str, str], None], level: str) -> None:
        self._log = log
        self._level = level
        self._logged_at = float("-inf")
        self._silenced = 0

    def say(self, text: str) -> None:
        """Log ``text``, unless that was done a moment ago."""
        if self._is_too_soon():
            self._silenced += 1
            return
        more = f" ({self._silenced} more since the last such line)" if self._silenced else ""
        self._logged_at, self._silenced = trio.current_time(), 0
        self._log(self._level, f"agent.http: {text}{more}")

    def say_failure(self, what: str, error: BaseException) -> None:
        """Log that ``what`` failed and where; the traceback is only written if it is logged."""
        if self._is_too_soon():
            self._silenced += 1
            return
        import traceback  # most daemons end without

        self.say(f"{what} failed: {''.join(traceback.format_exception(error)).rstrip()}")

    def _is_too_soon(self) -> bool:
        return trio.current_time() - self._logged_at < LOG_SECONDS


class Service:
    """One HTTP face: its routes, who may use them, and what is kept between requests."""

    def __init__(self, desk: Desk, routes: Iterable[Route], limits: HttpLimits) -> None:
        self.desk = desk
        self.limits = limits
        self.counting = Counting(desk.ledger)
        self.heads = Heads()
        self.bodies = Bodies(limits.bodies_max)
        self.packed = Packed()
        self.departures = Departures()
        self.alarms = Alarms()
        self.door = Door()
        self.connections = 0
        self.warnings = Seldom(desk.log, "WARN")
        self._failures = Seldom(desk.log, "ERR")
        self._table = Table(routes)
        self._access = Access(desk.config)
        self._date = (0, "")

    def connection_began(self) -> None:
        """Note that a client is served."""
        self.connections += 1
        self.counting.count(ACCEPTED)

    def connection_ended(self) -> None:
        """Note that it is served no more."""
        self.connections -= 1
        self.counting.count(CLOSED)

    def date(self) -> str:
        """Return the ``Date`` of a reply that is sent now."""
        now = int(self.desk.wall())
        if self._date[0] != now:
            self._date = now, http_date(now)
        return self._date[1]

    def plan_of(self, head: Head) -> Plan:
        """Return what is done about requests with ``head``; made once."""
        plan = head.plan
        if not isinstance(plan, Plan):
            plan = head.plan = self._make_plan(head)
        return plan

    def judge(self, head: Head) -> Bad | None:
        """Return why a body need not be sent, if it need not."""
        refusal = self.plan_of(head).refusal
        if refusal is None or not (head.expects or head.length > JUDGED_EARLY):
            return None
        return Bad(refusal.status, refusal.body.decode(), refusal.headers)

    def _make_plan(self, head: Head) -> Plan:
        plan = Plan()
        plan.takes_gzip = accepts_gzip(head.headers.get("accept-encoding", ""))
        try:
            self._fill(plan, head)
        except Refused as refused:
            plan.refusal = refusal_of(refused)
            plan.is_foreign = isinstance(refused, Foreign)
        return plan

    def _fill(self, plan: Plan, head: Head) -> None:
        target = read_target_untrusted(head.target)
        if head.method == "OPTIONS":
            allowed = ("Allow", self._table.allow(target.segments))
            plan.refusal = Reply(content_type=TEXT, headers=(allowed,))
            return
        match = self._table.match(head.method, target.segments)
        plan.route = match.route
        self._access.check(match.route.level, head.headers, target.secrets)
        plan.request = request = Request(
            method=head.method,
            path=target.path,
            query=target.query,
            headers=without_tokens(head.headers),
            names=match.names,
            target=target.shown,
        )
        if target.segments[0] == "v1":
            refuse_tenants(request)
            plan.is_pretty = flag(request, "pretty")

    def count_answer(self, plan: Plan, head: Head, status: int) -> None:
        """Count a request that was answered."""
        if plan.route is not None:
            self.counting.answer(status, plan.route.method, plan.route.pattern)
            if status in (401, 403) and plan.request is None:
                self.counting.refuse(FOREIGN if plan.is_foreign else TOKEN)
        elif status >= 400:
            self.counting.refuse(UNKNOWN if status == 404 else BAD_REQUEST)

    def failed(self, route: Route, error: Exception) -> Reply:
        """Return the answer to a request whose handler raised ``error``."""
        if isinstance(error, Refused):
            return refusal_of(error)
        if isinstance(error, GossipdError):
            status = {UsageError: 400, Unavailable: 503}.get(type(error), 500)
            return text_reply(status, shortened(str(error)))
        self.broke(f"{route.method} {route.pattern}", error)
        return text_reply(500, "Internal error of gossipd; its log tells more")

    def broke(self, what: str, error: Exception) -> None:
        """Note a defect of ours that ``what`` has met."""
        self.counting.count(FAILED)

        self._failures.say_failure(what, error)


def refusal_of(refused: Refused) -> Reply:
    """Return the answer that says so."""
    return text_reply(refused.status, refused.text, *refused.headers)


def shortened(text: str) -> str:
    """Return one line of ``text`` that every client shows."""
    line = text.partition("\n")[0]
    kept = line.encode("utf-8", "replace")[:REFUSAL_BYTES_MAX].decode(errors="ignore")
    return kept if kept == line else kept[: REFUSAL_BYTES_MAX - 3].rstrip() + "..."


def request_for(plan_request: Request, body: bytes, peer: str, is_loopback: bool) -> Request:
    """Return the request of one client: ``plan_request`` with what is not of its head."""
    return Request(
        method=plan_request.method,
        path=plan_request.path,
        query=plan_request.query,
        headers=plan_request.headers,
        body=body,
        names=plan_request.names,
        peer=peer,
        is_loopback=is_loopback,
        target=plan_request.target,
    )
