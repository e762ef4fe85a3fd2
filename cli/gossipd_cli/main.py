"""Entry of the command ``gossipd``: finds the subcommand and loads only that.

A plain call (``gossipd members --status alive``) is run without click, which
costs more time than asking the daemon. Whatever ``parse_plain`` does not
understand goes to click, which sees the same option tables.
"""

from __future__ import annotations

import gc
import importlib
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from gossipd_cli.plain import Command

SUMMARIES = {
    "agent": "Run the daemon on this host.",
    "members": "List the members of the cluster.",
    "join": "Join a cluster through known addresses.",
    "leave": "Leave the cluster gracefully; the daemon ends.",
    "force-leave": "Declare that a failed member has left.",
    "tags": "Show or change the tags of this node.",
    "services": "List the services of the cluster, or draw what needs what.",
    "service": "Show the instances of a service.",
    "watch": "Follow a service as its instances come, change and go.",
    "register": "Register a service on this node.",
    "deregister": "Take a service of this node back.",
    "run": "Run a program as a service that lives as long as it does.",
    "report": "Tell the result of a check of this node.",
    "load": "Tell how busy a service of this node is.",
    "maint": "Take a service or this node out of use, or back in.",
    "drain": "Let consumers turn away from a service or this node.",
    "impact": "Show who loses what without a node or service.",
    "template": "Write configuration of other programs from what is known.",
    "event": "Send a user event to the cluster.",
    "query": "Ask the cluster and show the answers.",
    "wait": "Wait until the cluster is as described.",
    "info": "Show the daemon's numbers.",
    "top": "Watch members, services and traffic in the terminal.",
    "debug": "Pack what a bug report needs.",
    "config": "Check configuration files, or show what holds.",
    "handlers": "List the scripts that the daemon runs on events.",
    "reload": "Let the daemon read its configuration again.",
    "monitor": "Follow the daemon's log and events.",
    "reachability": "Ask every member for a sign of life.",
    "rtt": "Estimate round trips between members.",
    "keys": "List or change the encryption keys of all members.",
    "keygen": "Print a new encryption key.",
    "demo": "Run a small cluster on this host to look at.",
    "simulate": "Rehearse failures of whole clusters on a virtual network.",
    "completion": "Print the completion script of a shell.",
    "version": "Print the version.",
}
"""Commands in the order of ``--help``; their modules are loaded when called."""

_MODULES = {
    "members": "members:MEMBERS",
    "join": "join:JOIN",
    "leave": "join:LEAVE",
    "force-leave": "join:FORCE_LEAVE",
    "tags": "tags:TAGS",
    "services": "services.listing:SERVICES",
    "service": "services.listing:SERVICE",
    "watch": "services.watching:WATCH",
    "register": "services.registering:REGISTER",
    "deregister": "services.registering:DEREGISTER",
    "run": "services.running:RUN",
    "report": "services.reporting:REPORT",
    "load": "services.reporting:LOAD",
    "maint": "services.reporting:MAINT",
    "drain": "services.reporting:DRAIN",
    "impact": "services.graphing:IMPACT",
    "template": "templating.command:TEMPLATE",
    "event": "event:EVENT",
    "query": "query:QUERY",
    "wait": "wait:WAIT",
    "info": "info:INFO",
    "top": "looking.top:TOP",
    "debug": "looking.bundle:DEBUG",
    "handlers": "handlers:HANDLERS",
    "reload": "reload:RELOAD",
    "monitor": "monitor:MONITOR",
    "reachability": "info:REACHABILITY",
    "rtt": "rtt:RTT",
    "keys": "keys:KEYS",
    "keygen": "keys:KEYGEN",
    "completion": "completion:COMPLETION",
    "version": "versions:VERSION",
}
COMPLETE_VARIABLE = "_GOSSIPD_COMPLETE"
INTERRUPTED = 130
"""As in ``exits``, which is not loaded for it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the words after the program's name; by default the process's own.
    """
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # while what the command needs was loaded
        return INTERRUPTED


def _run(words: list[str]) -> int:
    _mend_output()
    if words and COMPLETE_VARIABLE not in os.environ:
        code = _run_plain(words[0], words[1:])
        if code is not None:
            return code
    return _run_click(words)


def _mend_output() -> None:
    """Make output possible that the surroundings would break.

    A standard descriptor that the caller closed is opened on nothing, or the
    first socket would get its number, and the daemon's log with it. Letters
    that the locale does not have are escaped.
    """
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(spare, True)
    os.close(spare)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _run_plain(name: str, words: list[str]) -> int | None:
    """Run a plainly understood command; ``None`` if click has to look at the line."""
    if name == "agent":
        from gossipd_cli import agent

        return agent.run_plain(words)
    if name not in _MODULES:
        return None
    from gossipd_cli.plain import parse_plain

    command = _command(name)
    values = parse_plain(command, words)
    if values is None:
        return None
    from gossipd_cli.exits import run_guarded

    # a short life: looking for cyclic garbage in a thousand members is lost time
    gc.set_threshold(100_000)
    return run_guarded(lambda: command.run(values))


def _command(name: str) -> Command:
    module, _, attribute = _MODULES[name].partition(":")
    found: Command = getattr(importlib.import_module(f"gossipd_cli.{module}"), attribute)
    return found


def _run_click(words: list[str]) -> int:
    """Let click run the line; its complaints are one line on stderr, as ours are."""
    import click

    try:
        code = click_group().main(words or ["--help"], "gossipd", standalone_mode=False)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(bool(ending.code))
    except click.ClickException as error:
        from gossipd_cli.exits import USAGE, complain

        context = getattr(error, "ctx", None)
        path = context.command_path if context else "gossipd"
        complain(f"{error.format_message()} (see '{path} --help')")
        return USAGE
    except click.Abort:
        from gossipd_cli.exits import INTERRUPTED

        return INTERRUPTED
    return code if isinstance(code, int) else 0


def click_group() -> click.Group:
    """Return the whole command line as a click group with lazy commands."""
    import click

    from gossipd.version import __version__
    from gossipd_cli.clicked import LazyGroup, as_click, as_click_option
    from gossipd_cli.plain import SOCKET_OPTIONS

    def load(name: str) -> click.Command:
        if name in _MODULES:
            return as_click(_command(name))
        found: click.Command = importlib.import_module(f"gossipd_cli.{name}").command
        return found

    def share(**values: str | None) -> None:
        click.get_current_context().obj = values

    group = LazyGroup(
        name="gossipd",
        help="Cluster membership without a server: run a daemon, or ask a running one.",
        params=[as_click_option(option) for option in SOCKET_OPTIONS],
        callback=share,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        summaries=SUMMARIES,
        load=load,
    )
    return click.version_option(__version__, prog_name="gossipd")(group)
