"""Option tables as click commands: help, completion and complaints about mistakes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from gossipd_cli import exits
from gossipd_cli.plain import Command, Option, as_number, as_switch, is_count, is_pair

if TYPE_CHECKING:
    _SecondsType = click.ParamType[float]
    _TextType = click.ParamType[str]
    _WholeType = click.ParamType[int]
else:  # generic for type checkers only, in the older releases of click that we allow
    _SecondsType = _TextType = _WholeType = click.ParamType


Completion = Callable[[click.Context, click.Parameter, str], list[str]]


class _Seconds(_SecondsType):
    """A number of seconds above 0, perhaps with ``s`` or ``ms``."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = value if isinstance(value, float) else as_number(str(value))
        if number is None:
            self.fail(f"{value!r} is not a number of seconds above 0", param, ctx)
        return float(number)


class _Count(_WholeType):
    """A whole number from 0 on."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not is_count(str(value)):
            self.fail(f"{value!r} is not a whole number from 0 on", param, ctx)
        return int(value)


class _Pair(_TextType):
    """``key=value``."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not is_pair(str(value)):
            self.fail(f"{value!r} is not key=value", param, ctx)
        return str(value)


class _Switching(click.Command):
    """A command whose switches may also be spelled as Serf's are (``-coalesce=false``)."""

    switches: tuple[Option, ...] = ()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)  # what follows are arguments
        spelled = [self._respelled(word) for word in args[:end]]
        return super().parse_args(ctx, spelled + args[end:])

    def _respelled(self, word: str) -> str:
        for option in self.switches:
            if word.partition("=")[0] in option.spellings:
                is_on = as_switch(word)
                if is_on is not None:
                    return option.spellings[0 if is_on else len(option.names)]
        return word


def as_click(command: Command) -> click.Command:
    """Return ``command`` for click; it ends the process with the command's exit code."""

    argument = command.argument

    def call(**values: Any) -> None:
        shared = click.get_current_context().obj or {}
        for key, value in shared.items():
            if key in values and not values[key]:
                values[key] = value
        if argument is not None and argument.at_most > 1:
            words = values[argument.key]
            if len(words) > argument.at_most:
                raise click.UsageError(f"got unexpected argument ({words[argument.at_most]})")
            if 0 < len(words) < argument.at_least:
                raise click.UsageError(f"got too few arguments: {argument.metavar}")
        sys.exit(exits.run_guarded(lambda: command.run(values)))

    parameters: list[click.Parameter] = [as_click_option(option) for option in command.options]
    if argument is not None:
        completion = offering(argument.words, only_first=argument.key, known=argument.offers)
        extra = file_type(argument.metavar) or {"shell_complete": completion}
        parameters.append(
            click.Argument(
                [argument.key],
                metavar=argument.metavar,
                nargs=1 if argument.at_most == 1 else -1,
                required=argument.at_least > 0,
                **extra,
            )
        )
    made = _Switching(command.name, params=parameters, callback=call, help=command.help)
    made.switches = tuple(option for option in command.options if option.kind == "switch")
    return made


def offering(words: Sequence[str], *, only_first: str = "", known: str = "") -> Completion:
    """Return what makes a shell offer ``words``; other values are taken all the same.

    Args:
        words: in the order in which they are shown.
        only_first: key of an argument of several words, of which only the first is one of these.
        known: names that the daemon is asked for, as ``offers.py`` has them.
    """

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        if only_first and ctx.params.get(only_first):
            return []
        offered = [*words, *_known(ctx, known)] if known else words
        return [word for word in offered if word.startswith(incomplete)]

    return complete


def _known(ctx: click.Context, kind: str) -> list[str]:
    from gossipd_cli.offers import known_names

    shared = ctx.parent.params if ctx.parent is not None else {}
    socket, auth = (ctx.params.get(key) or shared.get(key) for key in ("socket", "rpc_auth"))
    return known_names(kind, socket, auth)


def file_type(metavar: str) -> dict[str, Any]:
    """Return the type that makes a shell offer files where ``metavar`` names one."""
    is_file = not {"FILE", "DIR", "PATH"}.isdisjoint(metavar.split("|"))
    return {"type": click.Path()} if is_file else {}


def as_click_option(option: Option) -> click.Option:
    """Return one option for click."""
    extra: dict[str, Any] = {"help": option.help}
    if option.kind == "switch":
        words = f"{option.names[-1]}/{option.spellings[len(option.names)]}"
        return click.Option([words, option.key], default=option.default, show_default=True, **extra)
    if option.kind == "flag":
        extra |= {"is_flag": True}
    else:
        extra |= {"metavar": option.metavar, "default": option.default}
        if option.default is not None:
            extra |= {"show_default": True}
    if option.kind in ("repeat", "pairs"):
        extra |= {"multiple": True}
    if option.kind == "pairs":
        extra |= {"type": _Pair()}
    elif option.kind == "number":
        extra |= {"type": _Seconds()}
    elif option.kind == "count":
        extra |= {"type": _Count()}
    elif option.choices:
        extra |= {"type": click.Choice(option.choices, case_sensitive=False)}
    elif option.kind == "text":
        extra |= file_type(option.metavar)
    if option.offers:
        extra |= {"shell_complete": offering((), known=option.offers)}
    return click.Option([*option.names, option.key], **extra)


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called.

    Args:
        summaries: command names in the order of ``--help``, with one line each.
        load: imports one.
    """

    def __init__(
        self,
        *args: Any,
        summaries: dict[str, str],
        load: Callable[[str], click.Command],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._summaries = summaries
        self._load = load

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._load(cmd_name) if cmd_name in self._summaries else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))
