"""One check of this node while it runs: from results to a status.

The rules alone; ``provider.py`` acts on them. Four counts of results in a row
decide (thresholds as in Consul, but for warnings): a result that is not
critical is *well*, one that is not passing is *poor*. Words of a provider for its
own ``ttl`` check are taken at once, its silence is critical at once.
"""

from __future__ import annotations

from gossipd.services.definition import (
    ALIAS,
    CRITICAL,
    HELD,
    HTTP,
    OUTPUT_BYTES_MAX,
    PASSING,
    SCRIPT,
    TCP,
    TTL,
    WARNING,
    CheckDefinition,
    CheckState,
)

RUN_KINDS = (HTTP, TCP, SCRIPT)
"""What the driver runs."""
REPORTED_KINDS = (TTL, HELD)
"""What providers report."""


def cut_output(output: str, bytes_max: int = OUTPUT_BYTES_MAX) -> str:
    """Return at most ``bytes_max`` bytes of ``output``, whole characters."""
    if len(output) <= bytes_max and output.isascii():
        return output
    return output.encode("utf-8", "replace")[:bytes_max].decode("utf-8", "ignore")


class Check:
    """What is known of one check.

    Args:
        definition: how it is found out.
        service: id of the service it belongs to; empty for one of the node.
        now: when it was registered (seconds, monotonic).
    """

    __slots__ = (
        "_failures",
        "_passes",
        "_poor",
        "_well",
        "armed_for",
        "critical_since",
        "definition",
        "expires_at",
        "grace_until",
        "output",
        "service",
        "status",
    )

    def __init__(self, definition: CheckDefinition, service: str, now: float) -> None:
        self.definition = definition
        self.service = service
        self.status = PASSING if definition.kind == HELD else definition.status
        self.output = ""
        # the very number that the others have, where nothing is added
        self.grace_until = now + definition.grace if definition.grace else now
        self.expires_at = now + definition.ttl if definition.ttl else now
        self.critical_since: float | None = None
        self.armed_for: float | None = None
        """The earliest moment for which somebody set a timer."""
        self._passes = self._well = self._failures = self._poor = 0
        self._note_status(self.status, now)

    @property
    def state(self) -> CheckState:
        """How it is, as readers see it."""
        definition = self.definition
        return CheckState(definition.id, definition.name, definition.kind, self.status, self.output)

    def take_over(self, status: str, output: str, now: float) -> None:
        """Go on with what was known before a restart, until the first result."""
        self.output = output
        self.grace_until = now
        self.expires_at = now + self.definition.ttl
        self._note_status(status, now)

    def take_result(self, result: str, output: str, now: float) -> bool:
        """Take what a run of the check found; return whether the status changed by it."""
        self.output = cut_output(output)
        if result != PASSING and now < self.grace_until:
            return False
        definition = self.definition
        is_well, is_poor = result != CRITICAL, result != PASSING
        self._passes = 0 if is_poor else self._passes + 1
        self._well = self._well + 1 if is_well else 0
        self._failures = 0 if is_well else self._failures + 1
        self._poor = self._poor + 1 if is_poor else 0
        status = self.status
        if result == PASSING:
            if self._passes >= definition.passes_needed:
                status = PASSING
        elif self._failures >= definition.failures_before_critical:
            status = CRITICAL
        elif status == CRITICAL:
            if is_well and self._well >= definition.passes_needed:
                status = WARNING
        elif self._poor >= definition.failures_before_warning:
            status = WARNING
        return self._note_status(status, now)

    def take_word(self, status: str, output: str, now: float) -> bool:
        """Take the provider's word, or what an alias shows; return whether the status changed."""
        self.output = cut_output(output)
        self.expires_at = now + self.definition.ttl
        return self._note_status(status, now)

    def expire(self, now: float) -> bool:
        """Turn critical if the provider was silent for too long; return whether that changed it."""
        if self.definition.kind != TTL or now < self._silent_until():
            return False
        if self.status != CRITICAL:
            self.output = f"no word from the provider for {self.definition.ttl:g} s"
        return self._note_status(CRITICAL, now)

    def is_given_up(self, now: float) -> bool:
        """Return whether its service is to be deregistered: critical for so long."""
        deadline = self._given_up_at()
        return deadline is not None and now >= deadline

    def next_deadline(self) -> float | None:
        """Return when time alone will change something, or ``None``."""
        given_up_at = self._given_up_at()
        if self.definition.kind != TTL or self.status == CRITICAL:
            return given_up_at
        silent_until = self._silent_until()
        return silent_until if given_up_at is None else min(silent_until, given_up_at)

    def _silent_until(self) -> float:
        return max(self.expires_at, self.grace_until)

    def _given_up_at(self) -> float | None:
        after = self.definition.deregister_after
        if not after or self.critical_since is None or not self.service:
            return None
        return max(self.critical_since, self.grace_until) + after

    def _note_status(self, status: str, now: float) -> bool:
        changed = status != self.status
        self.status = status
        if status != CRITICAL:
            self.critical_since = None
        elif self.critical_since is None:
            self.critical_since = now
        return changed


def is_run(check: CheckDefinition) -> bool:
    """Return whether the driver runs it."""
    return check.kind in RUN_KINDS


def is_alias(check: CheckDefinition) -> bool:
    """Return whether it shows how another service of this node is."""
    return check.kind == ALIAS
