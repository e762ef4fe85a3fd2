"""``Connection``: one client, from its first byte to the last, in one task."""

from __future__ import annotations

import math

import trio

from gossipd.rest.transport.counting import (
    BAD_REQUEST,
    SECONDS,
    SLOW_READER,
    SLOW_REQUEST,
    WAITED_SECONDS,
    WAITS_BEGUN,
    WAITS_ENDED,
    WAITS_GONE,
)
from gossipd.rest.transport.holding import Held, Waker, noticing, without_condition
from gossipd.rest.transport.http1 import CONTINUE, Bad, Head, Http1, Received
from gossipd.rest.transport.lines import Line
from gossipd.rest.transport.packing import is_worth_packing
from gossipd.rest.transport.render import (
    LAST_CHUNK,
    chunk,
    has_illegal_header,
    prettied,
    render_head,
    text_reply,
)
from gossipd.rest.transport.service import Plan, Service, request_for
from gossipd.rest.values import Reply, Request, Route, Streamed

IDLE, HEAD, BODY = range(3)
"""What of a request is under way."""
BODILESS = (204, 304)
SENT_KEPT_MAX = 8192
"""Replies with longer bodies are rendered anew each time."""
JOINED_MAX = 65_536
"""Longer bodies are not copied behind their head."""
TURN_SECONDS = 0.005
"""Requests sent ahead are answered for so long, and then others have their turn."""
HALF_SECONDS = 1.0
"""Time for an answer that is being written, once the client has ended its own side: a long one
is written in portions, and it is not to depend on its length whether the client gets it."""


class Connection:
    """Answers the requests of one client, one after another.

    Args:
        peer: the client's address, for the log.
    """

    __slots__ = (
        "_asked",
        "_began",
        "_http",
        "_is_ending",
        "_is_gone",
        "_is_held",
        "_is_loopback",
        "_is_waiting",
        "_line",
        "_peer",
        "_phase",
        "_scope",
        "_sending",
        "_service",
    )

    def __init__(self, line: Line, service: Service, peer: str, is_loopback: bool) -> None:
        self._line = line
        self._service = service
        self._peer = peer
        self._is_loopback = is_loopback
        self._http = Http1(service.limits, service.heads, service.bodies, service.judge)
        self._scope = trio.CancelScope()
        self._asked: tuple[Plan, Request] | None = None
        self._phase = IDLE
        self._began = 0.0
        self._is_gone = False
        self._is_ending = False
        self._is_held = False
        self._is_waiting = False
        self._sending = False

    async def run(self) -> None:
        """Serve the client until it, or we, have had enough; never fails.

        One task and few frames: what is held here is held for each client that waits.
        """
        service = self._service
        http, limits = self._http, service.limits
        in_a_row, turn_began = 0, 0.0
        try:
            with self._scope:
                while True:
                    request = http.next_request_untrusted()
                    if request is None:
                        if http.take_continue():
                            await self._send(CONTINUE)
                        self._set_receive_deadline()
                        data = await self._line.receive(limits.received_max)
                        if self._phase != IDLE:
                            self._scope.deadline = math.inf
                        if not data:
                            break
                        http.receive(data)
                        in_a_row, turn_began = 0, trio.current_time()
                    elif isinstance(request, Bad):
                        await self._refuse(request)
                        break
                    else:
                        self._phase = IDLE
                        if not await self._answer(request):
                            break
                        in_a_row += 1
                        if (
                            in_a_row >= limits.pipelined_max
                            or trio.current_time() - turn_began >= TURN_SECONDS
                        ):
                            await trio.lowlevel.checkpoint()
                            in_a_row, turn_began = 0, trio.current_time()
            if self._scope.cancelled_caught and not (self._is_gone or self._is_ending):
                await self._give_up()
        except OSError:
            pass  # the client is gone, and so is what it asked for
        except Exception as error:
            service.broke(self._peer, error)
        finally:
            http.close()
            service.departures.forget(self._line.descriptor)
            service.connection_ended()
            await self._line.close()

    def _set_receive_deadline(self) -> None:
        now, http, limits = trio.current_time(), self._http, self._service.limits
        if not http.has_begun:
            # Setting it takes longer than asking for it, so an idle connection may end a
            # second early; no request that is answered without waiting takes that long.
            if not limits.idle_seconds - 1 <= self._scope.deadline - now <= limits.idle_seconds:
                self._scope.deadline = now + limits.idle_seconds
            return
        body = http.body_received
        phase = HEAD if body is None else BODY
        if phase != self._phase:
            self._phase, self._began = phase, now
        if body is None:
            self._scope.deadline = self._began + limits.head_seconds
        else:
            more = body / limits.bytes_per_second
            self._scope.deadline = self._began + limits.body_seconds + more

    async def _answer(self, received: Received) -> bool:
        """Answer one request; returns whether the client may ask again."""
        service, head = self._service, received.head
        plan = service.plan_of(head)
        route = plan.route
        if plan.refusal is not None or route is None or plan.request is None:
            reply = plan.refusal or text_reply(500, "No answer")
            service.count_answer(plan, head, reply.status)
            return await self._send_reply(reply, plan, head)
        request = self._request(plan, plan.request, received)
        if route.waits:
            return await self._wait(plan, route, request, head)
        began = trio.current_time()
        try:
            answer = await route.handler(request, service.desk)
        except Exception as error:
            answer = service.failed(route, error)
        service.counting.measure(SECONDS, trio.current_time() - began)
        return await self._send_answer(answer, plan, head)

    def _request(self, plan: Plan, planned: Request, received: Received) -> Request:
        if received.body or not received.head.is_kept:  # it will not be the same again
            return request_for(planned, received.body, self._peer, self._is_loopback)
        if self._asked is None or self._asked[0] is not plan:
            made = request_for(planned, b"", self._peer, self._is_loopback)
            self._asked = plan, made
        return self._asked[1]

    async def _wait(self, plan: Plan, route: Route, request: Request, head: Head) -> bool:
        """Answer a request that may take long, unless the client goes away meanwhile."""
        service, began, deadline = self._service, trio.current_time(), math.inf
        held: Held | None
        try:
            while True:
                held = None
                try:
                    answer = await noticing(
                        route.handler(request, service.desk), self._begin_waiting
                    )
                except Held as nothing_new:
                    held = nothing_new
                    if deadline < 0:
                        answer, held = service.failed(route, nothing_new), None
                except Exception as error:
                    answer = service.failed(route, error)
                if held is None:
                    break
                deadline = min(deadline, began + held.seconds)
                if trio.current_time() >= deadline:
                    request, deadline = without_condition(request), -1.0
                    continue
                self._begin_holding()
                watched, keys = held.watched, held.keys
                held = None  # with its traceback goes what the handler held
                waker = Waker(service.door)
                watched.watch(keys, waker)
                tick = service.alarms.add(waker, deadline)
                try:
                    await trio.lowlevel.wait_task_rescheduled(waker.abort)
                finally:
                    watched.forget(keys, waker)
                    service.alarms.remove(waker, tick)
                    self._is_held = False
            if isinstance(answer, Streamed):
                self._begin_holding()
                return await self._send_answer(answer, plan, head)
            name = WAITED_SECONDS if self._is_waiting else SECONDS
            service.counting.measure(name, trio.current_time() - began)
        finally:
            if self._is_waiting:
                self._end_waiting()
        return await self._send_answer(answer, plan, head)

    def _begin_waiting(self) -> None:
        """Watch whether the client stays: this request takes longer than a moment."""
        if not self._is_waiting:
            self._is_waiting = True
            self._scope.deadline = math.inf
            self._service.counting.count(WAITS_BEGUN)
            self._service.departures.watch(self._line.descriptor, self._client_gone)

    def _begin_holding(self) -> None:
        """Wait for news from now on, which may be long in coming: who ends its side is gone."""
        self._begin_waiting()
        self._is_held = True
        if self._is_ending:
            self._client_gone(True)

    def _end_waiting(self) -> None:
        counting = self._service.counting
        self._is_waiting = self._is_held = False
        self._service.departures.forget(self._line.descriptor)
        counting.count(WAITS_ENDED)
        if self._is_gone or (self._is_ending and trio.current_time() >= self._scope.deadline):
            counting.count(WAITS_GONE)
        elif self._is_ending:
            self._is_ending = False
            self._scope.deadline = math.inf

    def _client_gone(self, is_certain: bool) -> None:
        if is_certain or self._is_held:
            self._is_gone = True
            self._scope.cancel()
        else:
            self._is_ending = True
            self._scope.deadline = trio.current_time() + HALF_SECONDS

    async def _send_answer(self, answer: Reply | Streamed, plan: Plan, head: Head) -> bool:
        service, date, sent = self._service, self._service.date(), plan.sent
        if sent is not None and sent[0] is answer and sent[1] == date:
            service.count_answer(plan, head, sent[0].status)
            await self._send(sent[2] + sent[3])
            return head.keeps_alive
        try:
            if has_illegal_header(answer.headers):
                raise ValueError("a header of the reply holds more than one line of ASCII")
            if plan.is_pretty and isinstance(answer, Reply):
                answer = await prettied(answer)
        except Exception as error:
            assert plan.route is not None
            answer = service.failed(plan.route, error)
        if isinstance(answer, Reply):
            service.count_answer(plan, head, answer.status)
            return await self._send_reply(answer, plan, head)
        service.count_answer(plan, head, 200)
        return await self._send_stream(answer, head)

    async def _send_reply(self, reply: Reply, plan: Plan, head: Head) -> bool:
        body, is_packed = reply.body, False
        if plan.takes_gzip and is_worth_packing(reply):
            body, is_packed = await self._service.packed.of(body), True
        closes = not head.keeps_alive
        date = self._service.date()
        raw = render_head(
            reply.status,
            reply.content_type if body else "",
            reply.headers,
            None if reply.status in BODILESS else len(body),
            head,
            date,
            is_packed=is_packed,
            closes=closes,
        )
        if head.method == "HEAD" or reply.status in BODILESS:
            body = b""
        if len(reply.body) <= SENT_KEPT_MAX:
            plan.sent = reply, date, raw, body
        if len(body) <= JOINED_MAX:
            await self._send(raw + body)
        else:
            await self._send(raw)
            await self._send(body)
        return not closes

    async def _send_stream(self, streamed: Streamed, head: Head) -> bool:
        """Send an answer piece by piece; the next one is asked for when one is sent."""
        pieces = streamed.pieces
        try:
            raw = render_head(
                200,
                streamed.content_type,
                streamed.headers,
                None,
                head,
                self._service.date(),
                closes=True,
            )
            await self._send(raw)
            if head.method != "HEAD":
                async for piece in pieces:
                    if piece:
                        await self._send(piece if head.is_http10 else chunk(piece))
                if not head.is_http10:
                    await self._send(LAST_CHUNK)
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                    await close()
        return False

    async def _send(self, data: bytes) -> None:
        """Send ``data``; a client that reads too slowly is cut off."""
        sent = self._line.send_now(data)
        if sent == len(data):
            return
        limits = self._service.limits
        seconds = limits.send_seconds + (len(data) - sent) / limits.bytes_per_second
        self._sending = True
        self._scope.deadline = trio.current_time() + seconds
        await self._line.send_rest(data, sent)
        self._scope.deadline = math.inf
        self._sending = False

    async def _refuse(self, bad: Bad) -> None:
        """Say what is wrong, then close; the client may still be sending."""
        self._service.counting.refuse(BAD_REQUEST)
        reply = text_reply(bad.status, bad.text, *bad.headers)
        await self._send(self._last_words(reply))
        await self._linger()

    def _last_words(self, reply: Reply) -> bytes:
        head = render_head(
            reply.status,
            reply.content_type,
            reply.headers,
            len(reply.body),
            None,
            self._service.date(),
            closes=True,
        )
        return head + reply.body

    async def _linger(self) -> None:
        """Read on for a moment: closing with bytes unread would take our last words back."""
        limits = self._service.limits
        self._line.end_writing()
        with trio.move_on_after(limits.linger_seconds):
            for _ in range(limits.pipelined_max):
                if not await self._line.receive(limits.received_max):
                    return

    async def _give_up(self) -> None:
        """End with a client that took too long."""
        counting = self._service.counting
        if self._sending:
            counting.refuse(SLOW_READER)
        elif self._http.has_begun:
            counting.refuse(SLOW_REQUEST)
            self._line.send_now(self._last_words(text_reply(408, "The request took too long")))
            await self._linger()
