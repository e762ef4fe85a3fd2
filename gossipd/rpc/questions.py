"""Tasks that ask the cluster for a client: queries, the reachability ping among them.

Each sends the bare success header before its first record, and ``done`` last
(rpc.md, section 6, query). It ends as soon as nobody is left who could answer;
the records of a client that has gone are dropped.

Serf's own command drops answers that it has read but not printed yet when ``done``
comes, and a Serf's ``done`` never comes soon after one. So ours lags a moment behind
the last record, except for clients that say that they need not wait (``Prompt``).
"""

from __future__ import annotations

import trio

from gossipd.errors import GossipdError
from gossipd.query import requests
from gossipd.rpc import answers, records
from gossipd.rpc.followers import Follower
from gossipd.serf.events import QueryAcked
from gossipd.serf.question import Question

DONE_LAG_SECONDS = 0.1
"""Pause between the last record of a query and its ``done``; printing takes a millisecond."""


def as_question(request: requests.Query) -> Question:
    """Return what ``request`` asks of the cluster; its timeout must not be negative."""
    return Question(
        name=request.name,
        payload=request.payload,
        nodes=request.filter_nodes,
        tags=request.filter_tags,
        wants_acks=request.wants_acks,
        relay_factor=request.relay_factor,
        timeout=request.timeout_ns / 1e9 if request.timeout_ns else None,
        full_time=request.full_time,
    )


def is_ping(request: requests.Query) -> bool:
    """Say whether ``request`` is the one internal query that clients may send."""
    return request.name == requests.PING_QUERY and request.payload is None


async def follow_question(
    follower: Follower,
    request: requests.Query,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Ask, and send a record for each ack and answer, then ``done``.

    What the node refuses is answered with its reason. A negative timeout is over
    before it began: nobody is asked.
    """
    beginning = _Beginning(follower, task_status)
    try:
        with follower.scope:
            if request.timeout_ns < 0:
                await beginning.succeed()
            else:
                await _ask(follower, request, beginning)
            if beginning.is_over:
                if not request.is_prompt:
                    await trio.sleep(DONE_LAG_SECONDS)
                await follower.send(records.query_message(follower.seq, "done"))
    except GossipdError as error:
        if beginning.is_over:
            raise
        await beginning.fail(error)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        # The reading side of the connection notices and ends it.
        beginning.give_up()


class _Beginning:
    """The header of the answer: sent once, and the client's next request waits for it."""

    def __init__(self, follower: Follower, task_status: trio.TaskStatus[None]) -> None:
        self._follower = follower
        self._task_status = task_status
        self.is_over = False

    async def succeed(self) -> None:
        """Tell the client that records will come."""
        await self._follower.send(answers.header(self._follower.seq))
        self.give_up()

    async def fail(self, error: GossipdError) -> None:
        """Tell the client that nobody was asked."""
        try:
            await self._follower.send(answers.header(self._follower.seq, str(error)))
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Let the next request be read."""
        if not self.is_over:
            self.is_over = True
            self._task_status.started()


async def _ask(follower: Follower, request: requests.Query, beginning: _Beginning) -> None:
    seq = follower.seq
    async with follower.handle.ask(as_question(request)) as replies:
        await beginning.succeed()
        async for reply in replies:
            if isinstance(reply, QueryAcked):
                record = records.query_message(seq, "ack", reply.node)
            else:
                record = records.query_message(seq, "response", reply.node, reply.payload)
            await follower.send(record)
