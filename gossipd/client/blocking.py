"""``Client``: asks a running daemon over a plain socket, no event loop.

What scripts and the command line use; importing it costs a few milliseconds.
Not for several threads at a time. ``AsyncClient`` in ``aio.py`` is the same
for trio and asyncio.
"""

from __future__ import annotations

import os

from gossipd.client.connection import as_payload, as_timeout_ns
from gossipd.client.endpoint import find_auth, find_endpoint
from gossipd.client.link import Link, NoAnswer
from gossipd.client.services import ServiceCalls
from gossipd.query import requests
from gossipd.query.records import (
    EventRecord,
    LogRecord,
    MemberRecord,
    read_event_untrusted,
    read_log_untrusted,
    read_members_untrusted,
    read_query_record_untrusted,
)
from gossipd.query.replies import (
    CoordinateReply,
    KeysReply,
    QueryOutcome,
    QueryReply,
    read_coordinate_untrusted,
    read_joined_untrusted,
    read_keys_untrusted,
    read_stats_untrusted,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Any, Self

    from gossipd.client.balancing import ServiceBalancer
    from gossipd.config.settings import Setting
    from gossipd.query.config_records import ReloadRecord
REPLY_SECONDS = 60.0
"""How long a command may take; a join tries dead addresses for up to 10 s each."""
KEPT_LINES_MAX = 4096
"""Of a log that goes on faster than it is read, ``kept_log`` takes no more."""


class Client(ServiceCalls):
    """A connection to a daemon; use it as a context manager.

    Args:
        socket: a unix socket's path or ``host:port``; by default what
            ``GOSSIPD_SOCKET`` or ``SERF_RPC_ADDR`` says, else the usual path.
        auth: the daemon's RPC token; by default ``GOSSIPD_RPC_AUTH`` or ``SERF_RPC_AUTH``.
        timeout: seconds to wait for an answer; ``None`` waits for ever.

    Raises:
        DaemonUnreachable: nobody answers there.
        RequestRefused: the token is wrong.
        UsageError: ``socket`` is neither a path nor ``host:port``.
    """

    def __init__(
        self,
        socket: str | None = None,
        *,
        auth: str | None = None,
        timeout: float | None = REPLY_SECONDS,
    ) -> None:
        self.endpoint = find_endpoint(socket, os.environ, os.geteuid())
        self._token = find_auth(auth, os.environ)
        self._link = Link(self.endpoint, timeout)
        try:
            self._link.ask(requests.Handshake())
            if self._token:
                self._link.ask(requests.Auth(self._token))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def timeout(self) -> float | None:
        """Seconds to wait for an answer, ``None`` for ever; may be set."""
        return self._link.timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._link.timeout = seconds

    def close(self) -> None:
        """Close the connection; its streams end with it."""
        self._link.close()

    def balancer(self, name: str, *, policy: str = "p2c", **options: Any) -> ServiceBalancer:
        """Return what sends requests to the instances of service ``name``; see its class.

        It follows the service on a connection of its own, may be used by several threads,
        and goes on when this client is closed.

        Raises:
            UsageError: the policy or an option is unknown or wrong.
        """
        from gossipd.client.balancing import ServiceBalancer

        return ServiceBalancer(name, self._another, policy=policy, **options)

    def _another(self) -> Client:
        return Client(str(self.endpoint), auth=self._token, timeout=self.timeout)

    def members(self) -> list[MemberRecord]:
        """Return all members of every status, sorted by name."""
        return self._read_members(requests.Plain("members"))

    def members_filtered(
        self, *, name: str = "", status: str = "", tags: Mapping[str, str] | None = None
    ) -> list[MemberRecord]:
        """Return the members whose name, status and tags match the RE2 patterns given.

        Each pattern must match the whole value; an empty one matches all.

        Raises:
            RequestRefused: a pattern does not compile.
        """
        return self._read_members(requests.MembersFiltered(tags, status, name))

    def join(self, addresses: Sequence[str], *, replay: bool = False) -> int:
        """Join the cluster through ``addresses``; return how many were contacted.

        Raises:
            RequestRefused: none could be contacted.
        """
        return read_joined_untrusted(self._link.ask(requests.Join(addresses, replay)))

    def leave(self, *, drain: float | None = None) -> None:
        """Make the daemon leave the cluster gracefully and end.

        Args:
            drain: seconds before it, in which consumers turn away from its services.
        """
        self._link.ask(requests.Leave(drain or 0.0))

    def force_leave(self, node: str, *, prune: bool = False) -> None:
        """Declare that ``node`` left; with ``prune`` it is forgotten at once."""
        self._link.ask(requests.ForceLeave(node, prune))

    def set_tags(
        self, tags: Mapping[str, str] | None = None, *, delete: Sequence[str] = ()
    ) -> None:
        """Delete tags of the daemon's own node, then set others.

        Raises:
            RequestRefused: the tags are too long together; nothing was changed.
        """
        self._link.ask(requests.SetTags(tags, delete))

    def tags(self) -> dict[str, str]:
        """Return the tags of the daemon's own node."""
        return self.stats().get("tags", {})

    def settings(self) -> tuple[Setting, ...]:
        """Return what the daemon runs with now, and where each value came from.

        Raises:
            DaemonUnreachable: it is no gossipd that knows the command; it closes then.
        """
        from gossipd.query.config_records import read_settings_untrusted

        return read_settings_untrusted(self._link.ask(requests.Plain("config")))

    def tasks(self) -> list[str]:
        """Return where the daemon's tasks stand, as lines: names of functions, files, numbers.

        Raises:
            DaemonUnreachable: it is no gossipd that knows the command; it closes then.
        """
        from gossipd.client.tasks import read_tasks_untrusted

        return read_tasks_untrusted(self._link.ask(requests.Plain("config")))

    def reload(self) -> ReloadRecord:
        """Let the daemon read its configuration again; return what came of it.

        Raises:
            RequestRefused: the configuration is wrong, and nothing was changed.
        """
        from gossipd.query.config_records import read_reload_untrusted

        return read_reload_untrusted(self._link.ask(requests.Plain("reload")))

    def stats(self) -> dict[str, dict[str, str]]:
        """Return the daemon's numbers by section; all values are text."""
        return read_stats_untrusted(self._link.ask(requests.Plain("stats")))

    def event(
        self,
        name: str,
        payload: bytes | str | None = None,
        *,
        may_coalesce: bool = True,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send a user event to the cluster.

        Args:
            name: name and payload together take 512 bytes by default.
            payload: text is sent as UTF-8.
            may_coalesce: of several of one name within a moment only the newest counts.
            nodes: only nodes of these names are told of it.
            tags: only nodes whose tags match these RE2 expressions are (searched, not
                anchored). Both filters are gossipd's own: Serf nodes are told anyway.

        Raises:
            RequestRefused: it is too large, or an expression is none.
        """
        event = requests.UserEvent(name, as_payload(payload), may_coalesce, nodes=nodes, tags=tags)
        self._link.ask(event)

    def query(
        self,
        name: str,
        payload: bytes | str | None = None,
        *,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        wants_acks: bool = True,
        relay_factor: int = 0,
        timeout: float | None = None,
        full_time: bool = False,
    ) -> Iterator[QueryReply]:
        """Ask the cluster; yield acks and responses as they come, until the query is over.

        Args:
            name, payload: name, payload and filters take 1024 bytes by default.
            nodes: only these are asked.
            tags: only nodes whose tags match these RE2 expressions (searched) are asked.
            wants_acks: yield also that a node has got the query.
            relay_factor: over how many others each reply is sent as well, 0 to 255.
            timeout: seconds that answers may take; ``None`` is the cluster's default.
            full_time: go on to the end of that time even when all have answered.

        Raises:
            RequestRefused: it is too large, or an expression is none.
        """
        request = requests.Query(
            name,
            as_payload(payload),
            filter_nodes=nodes,
            filter_tags=tags,
            wants_acks=wants_acks,
            relay_factor=relay_factor,
            timeout_ns=as_timeout_ns(timeout),
            full_time=full_time,
            is_prompt=True,
        )
        return self._replies(self._link.open(request), timeout)

    def ask(self, name: str, payload: bytes | str | None = None, **options: Any) -> QueryOutcome:
        """Ask the cluster and return all that came; options are those of ``query``."""
        outcome = QueryOutcome()
        for reply in self.query(name, payload, **options):
            outcome.add(reply)
        return outcome

    def respond(self, number: int, payload: bytes | str | None = None) -> None:
        """Answer the query that a stream of this client showed under ``number``.

        Raises:
            RequestRefused: it was answered already, is over, or the answer is too large.
        """
        self._link.ask(requests.Respond(number, as_payload(payload)))

    def list_keys(self) -> KeysReply:
        """Return the encryption keys of all members; see ``KeysReply``.

        Raises:
            KeysRefused: not all members answered, or some have no keys.
        """
        return read_keys_untrusted(self._link.ask(requests.Plain("list-keys")))

    def install_key(self, key: str) -> KeysReply:
        """Give all members the key ``key`` (base64 of 16, 24 or 32 bytes) to read with.

        Raises:
            KeysRefused: not all members have it now; ``reply.messages`` says why.
        """
        return read_keys_untrusted(self._link.ask(requests.ChangeKey("install-key", key)))

    def use_key(self, key: str) -> KeysReply:
        """Make all members encrypt with ``key``, which they have; errors as ``install_key``."""
        return read_keys_untrusted(self._link.ask(requests.ChangeKey("use-key", key)))

    def remove_key(self, key: str) -> KeysReply:
        """Take ``key`` from all members; it must not be the one they encrypt with."""
        return read_keys_untrusted(self._link.ask(requests.ChangeKey("remove-key", key)))

    def coordinate(self, node: str) -> CoordinateReply | None:
        """Return the network coordinate of ``node``, ``None`` if it is not known."""
        return read_coordinate_untrusted(self._link.ask(requests.GetCoordinate(node)))

    def rtt(self, a: str, b: str) -> float | None:
        """Return the estimated round trip between two nodes in seconds.

        ``None`` if the coordinate of one of them is not known.
        """
        here, there = self.coordinate(a), self.coordinate(b)
        return None if here is None or there is None else here.rtt(there)

    def stream(
        self, filters: str = "*", *, immediate: bool = False, never_answers: bool = False
    ) -> Events:
        """Yield events that match ``filters``, from now on, until the daemon ends.

        Filters are comma separated: ``member-join``, ``user:deploy`` and so on.
        A record of kind ``gap`` says how many were lost because they were
        read too slowly.

        Args:
            filters: which events.
            immediate: each event at once and alone, instead of gathered for a moment.
            never_answers: queries are only looked at, so nobody waits for this client.
        """
        return Events(self._link, self._open_stream(filters, immediate, never_answers))

    def monitor(self, level: str = "INFO") -> Iterator[LogRecord]:
        """Yield the daemon's kept log lines at ``level``, then live ones, until it ends."""
        seq = self._link.open(requests.Monitor(level, wants_gaps=True))
        return self._follow(seq, read_log_untrusted)

    def kept_log(self, level: str = "INFO", *, pause: float = 0.3) -> list[LogRecord]:
        """Return the daemon's kept log lines at ``level``; the connection is closed then.

        Args:
            level: as for ``monitor``.
            pause: seconds without a line after which all of them are here.
        """
        seq = self._link.open(requests.Monitor(level, wants_gaps=True))
        found: list[LogRecord] = []
        try:
            while len(found) < KEPT_LINES_MAX:
                found.append(read_log_untrusted(self._link.next_record(seq, timeout=pause)[1]))
        except NoAnswer:
            return found
        finally:
            self.close()
        return found

    def follow(
        self, filters: str = "*", level: str = "INFO", *, immediate: bool = False
    ) -> Iterator[EventRecord | LogRecord]:
        """Yield events and log lines as they come, over this one connection."""
        events = self._open_stream(filters, immediate, True)
        lines = self._link.open(requests.Monitor(level, wants_gaps=True))
        return self._follow_both(events, lines)

    def reachability(self, timeout: float | None = None) -> Iterator[str]:
        """Ask all members for a sign of life; yield the name of each that answers.

        Ends when every alive member has answered, or after ``timeout`` seconds
        (by default the cluster's query timeout).
        """
        replies = self.query(requests.PING_QUERY, timeout=timeout)
        return (reply.node for reply in replies)

    # --- below: records as values -----------------------------------------------

    def _read_members(self, request: requests.Request) -> list[MemberRecord]:
        found = read_members_untrusted(self._link.ask(request))
        found.sort(key=_by_name)
        return found

    def _follow(self, seq: int, read: Any) -> Iterator[Any]:
        while True:
            yield read(self._link.next_record(seq)[1])

    def _follow_both(self, events: int, lines: int) -> Iterator[EventRecord | LogRecord]:
        while True:
            seq, body = self._link.next_record(events, lines)
            yield read_event_untrusted(body) if seq == events else read_log_untrusted(body)

    def _open_stream(self, filters: str, immediate: bool, never_answers: bool) -> int:
        return self._link.open(
            requests.Stream(
                filters,
                wants_gaps=True,
                wants_senders=True,
                is_immediate=immediate,
                never_answers=never_answers,
            )
        )

    def _replies(self, seq: int, timeout: float | None) -> Iterator[QueryReply]:
        # The daemon promises an end; a frozen one must not keep the caller for ever.
        limit = self._link.timeout
        if limit is not None:
            limit += timeout or 0
        while True:
            body = self._link.next_record(seq, timeout=limit)[1]
            kind, node, payload = read_query_record_untrusted(body)
            if kind == "done":
                self._link.forget(seq)
                return
            yield QueryReply(kind, node, payload)


class Events:
    """The events of one stream, in order; a ``for`` over them ends with the daemon."""

    __slots__ = ("_link", "seq")

    def __init__(self, link: Link, seq: int) -> None:
        self._link = link
        self.seq = seq

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> EventRecord:
        return read_event_untrusted(self._link.next_record(self.seq)[1])

    def next_within(self, seconds: float) -> EventRecord | None:
        """Return the next event, ``None`` if none comes within ``seconds``."""
        try:
            body = self._link.next_record(self.seq, timeout=max(seconds, 0.001))[1]
        except NoAnswer:
            return None
        return read_event_untrusted(body)

    def skip_ready(self) -> int:
        """Drop the events that have been received already, and return how many.

        For callers that look afresh after each event: of a burst, once is enough.
        """
        return self._link.drop_records(self.seq)


def _by_name(member: MemberRecord) -> str:
    return member.name
