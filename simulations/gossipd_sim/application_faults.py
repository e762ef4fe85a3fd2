"""What applications of hosts do: send user events, ask the cluster.

Not faults, but written and applied as those are. Queries are answered by the hosts
that are asked, each with its own name (``host.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from gossipd.serf.question import Question
from gossipd_sim.application import ask, send_event
from gossipd_sim.faults import HostFault, Stage
from gossipd_sim.host import Host


class SendEvent(HostFault, kw_only=True):
    """The hosts send the event ``name``, for everybody or for those with ``tags`` (RE2)."""

    name: str
    tags: Mapping[str, str] = {}

    do = "event"

    def befall(self, host: Host, stage: Stage) -> None:
        host.command(send_event(self.name, self.tags))

    def describe(self) -> str:
        return f"event {self.name} by {self.hosts}"


class Ask(HostFault, kw_only=True):
    """The hosts ask the query ``name`` and want acks, of everybody or of those with ``tags``."""

    name: str
    tags: Mapping[str, str] = {}

    do = "query"

    def befall(self, host: Host, stage: Stage) -> None:
        question = Question(name=self.name, tags=self.tags, wants_acks=True)
        host.command(ask(question))

    def describe(self) -> str:
        return f"query {self.name} by {self.hosts}"


FAULTS_OF_APPLICATIONS: tuple[type[HostFault], ...] = (SendEvent, Ask)
