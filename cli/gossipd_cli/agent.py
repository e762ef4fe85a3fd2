"""``gossipd agent``: read the configuration, then run the daemon until it left.

The flags are the option table of ``gossipd.config.options``. A line in which
every word is plainly understood is parsed here; help, mistakes and completion
go to click, which is built from the same table and costs a daemon a
megabyte it would keep for life. Exit codes: 0 left, 1 failed, 2 cannot start,
130 interrupted before it ran.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from gossipd.config.options import OPTIONS, Option

if TYPE_CHECKING:
    import click

    from gossipd.config.load import Loaded

CONFIG_FLAGS = ("config", "config-file", "config-dir")
"""Our own name and Serf's two; each takes a file or a folder."""
DESCRIPTORS = 65_536
"""As many a daemon takes if it may."""
EXIT_FAILED = 1
EXIT_CANNOT_START = 2
_REPEATED = ("list", "lines", "tags", "sets")


def run_plain(argv: list[str]) -> int | None:
    """Run the agent when every word of ``argv`` is plainly understood.

    Args:
        argv: the words after ``agent``.

    Returns:
        The exit code, or ``None`` when click must look at the line.
    """
    flags = parse_plain(argv)
    return None if flags is None else start_agent(flags)


def parse_plain(argv: Sequence[str]) -> dict[str, object] | None:
    """Return the flags by option key, or ``None`` when a word is not plainly understood.

    One or two dashes, ``--flag value`` or ``--flag=value``, as Serf's agent takes them.
    """
    by_flag = {option.flag: option for option in OPTIONS}
    flags: dict[str, object] = {}
    words = iter(argv)
    for word in words:
        name, equals, value = word.lstrip("-").partition("=")
        option = by_flag.get(name)
        is_config = name in CONFIG_FLAGS
        if word[:1] != "-" or word.startswith("---") or (option is None and not is_config):
            return None
        is_switch = option is not None and option.kind == "switch"
        if not equals and is_switch:
            value = "true"
        elif not equals:
            following = next(words, None)
            if following is None or following.startswith("-"):
                return None
            value = following
        _add(flags, option, value)
    return flags


def _add(flags: dict[str, object], option: Option | None, value: str) -> None:
    """Add one flag's value; repeated kinds gather, others are replaced."""
    key = "config" if option is None else option.key
    if option is None or option.kind in _REPEATED:
        before = flags.get(key, ())
        assert isinstance(before, tuple)
        flags[key] = (*before, value)
    else:
        flags[key] = value


def start_agent(flags: Mapping[str, object]) -> int:
    """Configure and run the agent; complaints go to stderr in one line.

    Args:
        flags: by option key, and ``config``: files and folders to read.

    Returns:
        The exit code.
    """
    from gossipd.errors import ConfigError, GossipdError
    from gossipd_cli.configuration import configured

    early: list[int] = []
    # until the daemon watches its signals this one would end it
    before = signal.signal(signal.SIGHUP, lambda number, _: early.append(number))
    try:
        # what a reload reads is what was read now, not what the process changed since
        environment = dict(os.environ)
        return _run(
            configured(flags, environment),
            lambda: configured(flags, environment, again=True),
            early,
        )
    except ConfigError as error:
        return _complain(error, EXIT_CANNOT_START)
    except GossipdError as error:
        return _complain(error, EXIT_FAILED)
    except KeyboardInterrupt:
        from gossipd_cli.exits import INTERRUPTED

        return INTERRUPTED  # before the daemon watches its signals: nothing is to be left
    finally:
        signal.signal(signal.SIGHUP, before)


def _complain(error: Exception, code: int) -> int:
    sys.stderr.write(f"gossipd agent: {error}\n")
    return code


def _take_descriptors() -> None:
    """Let the daemon have as many descriptors as it is allowed: each client takes one.

    The soft limit of 1024 is for programs that call ``select``; nothing here does.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _run(loaded: Loaded, reread: Callable[[], Loaded], early: Sequence[int]) -> int:
    """Run the agent on trio, with its signals and its log on stdout.

    ``early`` are signals that came already, of which it is to be told.
    """
    import trio

    from gossipd.agent.agent import run_agent
    from gossipd.agent.lifecycle import WATCHED
    from gossipd.agent.log.output import DescriptorOutput

    _take_descriptors()
    # what start-up made stays for life: leave it out of every later collection
    gc.collect()
    gc.freeze()

    async def read_again() -> Loaded:
        # a slow disk must not hold the node up
        return await trio.to_thread.run_sync(reread, abandon_on_cancel=True)

    async def main() -> int:
        with trio.open_signal_receiver(*WATCHED) as signals:
            if early:
                os.kill(os.getpid(), early[-1])
            return await run_agent(
                loaded.config,
                signals=signals,
                output=DescriptorOutput(1),
                errors=DescriptorOutput(2),
                origins=loaded.origins,
                reread=read_again,
            )

    return trio.run(main)


def given_flags(given: Mapping[str, object]) -> dict[str, object]:
    """Return the flags that click found, without those that were not given."""
    return {key: value for key, value in given.items() if value not in (None, ())}


def click_options() -> list[click.Parameter]:
    """Return the options of the table, and those that name files, for click."""
    import click

    from gossipd.config.agent_model import EARLY_WARNINGS, LOG_FORMATS, LOG_LEVELS
    from gossipd.config.model import PROFILES
    from gossipd_cli.clicked import file_type, offering
    from gossipd_cli.configuration import DEFAULT_FILE

    words = {
        "profile": tuple(PROFILES),
        "log_level": LOG_LEVELS,
        "log_format": LOG_FORMATS,
        "early_warning": EARLY_WARNINGS,
    }
    offered = {key: offering(known) for key, known in words.items()}

    parameters: list[click.Parameter] = [
        click.Option(
            [f"--{flag}" for flag in CONFIG_FLAGS] + ["config"],
            multiple=True,
            metavar="PATH",
            type=click.Path(),
            help=f"File or folder of *.toml and *.json ({DEFAULT_FILE}); repeatable.",
        )
    ]
    for option in OPTIONS:
        declaration = [f"--{option.flag}", option.key]
        if option.kind == "switch":
            parameters.append(
                click.Option(
                    declaration, is_flag=False, flag_value="true", metavar="[true|false]",
                    help=option.help,
                )
            )  # fmt: skip
        else:
            parameters.append(
                click.Option(
                    declaration,
                    multiple=option.kind in _REPEATED,
                    metavar=option.metavar,
                    help=option.help,
                    shell_complete=offered.get(option.key),
                    **file_type(option.metavar),
                )
            )
    return parameters


def _command() -> click.Command:
    """Return the same options as a click command: for help, completion and mistakes."""
    import click

    def callback(**given: object) -> None:
        sys.exit(start_agent(given_flags(given)))

    return click.Command(
        "agent",
        params=click_options(),
        callback=callback,
        help="Run the daemon: join the cluster, and answer on the local socket.",
        epilog="Every option can stand in a file or the environment (GOSSIPD_<KEY>) too.",
    )


def __getattr__(name: str) -> object:
    """Make ``command`` when it is asked for, so that a plain start never imports click."""
    if name == "command":
        return _command()
    raise AttributeError(name)
