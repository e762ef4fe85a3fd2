"""The programs that can be a member: ``serf`` and ``gossipd``, and how they are called.

Flags carry Serf's names, so one list of options serves both.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gossipd.value import Value


class AgentOptions(Value, kw_only=True):
    """What both kinds of agent can be told at start."""

    name: str
    bind: str
    """``host:port`` of the gossip, v6 in brackets."""
    rpc: str
    """``host:port`` of the RPC over TCP; empty is none (gossipd only)."""
    folder: Path
    """For the log and the unix socket."""
    profile: str = "lan"
    encrypt: str = ""
    rpc_auth: str = ""
    """What clients show; Serf's agent has no flag for it and reads it from a file."""
    join: Sequence[str] = ()
    retry_join: Sequence[str] = ()
    tags: Mapping[str, str] = {}
    log_level: str = "debug"
    compression: bool = True
    more: Sequence[str] = ()
    """Further words for the command line, as they are."""
    wrapper: Sequence[str] = ()
    """Words before the command, such as the entry to a network namespace."""

    @property
    def socket(self) -> Path:
        """Path of the unix socket (gossipd only)."""
        return self.folder / f"{self.name}.sock"


class AgentKind(Protocol):
    """A program that can be a member."""

    name: str

    def command(self, options: AgentOptions) -> list[str]:
        """Return the words that start an agent with ``options``."""


class SerfKind:
    """Serf's own agent, from the distribution."""

    name = "serf"

    def command(self, options: AgentOptions) -> list[str]:
        """Return ``serf agent`` with its flags."""
        return ["serf", "agent", *_flags(options), *options.more]


class GossipdKind:
    """Our daemon, run by the Python that runs this.

    Args:
        program: the words that run the command ``gossipd``.
    """

    name = "gossipd"

    def __init__(self, program: Sequence[str] = (sys.executable, "-m", "gossipd_cli")) -> None:
        self._program = program

    def command(self, options: AgentOptions) -> list[str]:
        """Return ``gossipd agent`` with its flags."""
        words = [*self._program, "agent", "--socket", str(options.socket)]
        words += ["-" + word if word.startswith("-") else word for word in _flags(options)]
        words += ["--rpc-auth", options.rpc_auth] if options.rpc_auth else []
        return [*words, *options.more]


SERF = SerfKind()
GOSSIPD = GossipdKind()
KINDS: Mapping[str, AgentKind] = {"gossipd": GOSSIPD, "serf": SERF}


def has_serf() -> bool:
    """Say whether the ``serf`` program is installed."""
    return shutil.which("serf") is not None


def _flags(options: AgentOptions) -> list[str]:
    words = ["-node", options.name, "-bind", options.bind]
    words += ["-rpc-addr", options.rpc] if options.rpc else []
    words += ["-profile", options.profile, "-log-level", options.log_level]
    words += ["-encrypt", options.encrypt] if options.encrypt else []
    words += [] if options.compression else ["-disable-compression"]
    for address in options.join:
        words += ["-join", address]
    for address in options.retry_join:
        words += ["-retry-join", address]
    words += ["-retry-interval", "1s"] if options.retry_join else []
    for key, value in options.tags.items():
        words += ["-tag", f"{key}={value}"]
    return words
