"""One option table per command, and the quick parser over it.

Importing click takes longer than asking the daemon. So a command describes
its options once, here; ``parse_plain`` understands the plain uses of them by
itself, and everything else (help, mistakes, completion) is left to click,
whose options ``clicked.py`` builds from the same table.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


class Option:
    """One option of a command.

    Args:
        names: spellings with dashes, the long one last; the key is made from it.
        help: one line for ``--help``.
        kind: ``text``, ``flag``, ``switch`` (a flag that ``--no-NAME`` turns off; also
            ``-NAME=false`` as Serf has it), ``repeat`` (texts), ``pairs`` (``key=value``,
            repeated), ``number`` (seconds) or ``count`` (a whole number from 0 on).
        metavar: how the value is shown in ``--help``.
        default: what a missing ``text``, ``switch``, ``number`` or ``count`` means.
        choices: the only values of a ``text``, if there is such a list.
        offers: which names of the daemon's a shell offers, as ``offers.py`` has them.
    """

    __slots__ = ("choices", "default", "help", "key", "kind", "metavar", "names", "offers")

    def __init__(
        self,
        *names: str,
        help: str,
        kind: str = "text",
        metavar: str = "TEXT",
        default: str | float | None = None,
        choices: tuple[str, ...] = (),
        offers: str = "",
    ) -> None:
        self.offers = offers
        self.names = names
        self.key = names[-1].lstrip("-").replace("-", "_")
        self.help = help
        self.kind = kind
        self.metavar = metavar
        self.default = default
        self.choices = choices

    @property
    def spellings(self) -> tuple[str, ...]:
        """All names under which the option is taken."""
        if self.kind != "switch":
            return self.names
        bare = self.names[-1].lstrip("-")
        return (*self.names, f"--no-{bare}", f"-{bare}")


class Argument:
    """The words behind the options: between ``at_least`` and ``at_most`` of them.

    ``words`` are those that a shell offers for the first one, ``offers`` says which names of
    the daemon's are.
    """

    __slots__ = ("at_least", "at_most", "key", "metavar", "offers", "words")

    def __init__(
        self,
        key: str,
        metavar: str,
        at_least: int = 1,
        at_most: int = 1,
        words: tuple[str, ...] = (),
        offers: str = "",
    ) -> None:
        self.offers = offers
        self.words = words
        self.key = key
        self.metavar = metavar
        self.at_least = at_least
        self.at_most = at_most


class Command:
    """A subcommand: its name, options, and what it does.

    ``run`` is given the values by key and returns the exit code. Repeated
    options and arguments of more than one word are tuples of texts.
    """

    __slots__ = ("argument", "help", "name", "options", "run")

    def __init__(
        self,
        name: str,
        run: Callable[[Mapping[str, Any]], int],
        *,
        help: str,
        options: Sequence[Option] = (),
        argument: Argument | None = None,
    ) -> None:
        self.name = name
        self.run = run
        self.help = help
        self.options = tuple(options)
        self.argument = argument


SOCKET_OPTIONS = (
    Option(
        "--socket",
        help="The daemon's unix socket, or host:port (default: GOSSIPD_SOCKET, SERF_RPC_ADDR).",
        metavar="PATH|HOST:PORT",
    ),
    Option(
        "--rpc-auth",
        help="The daemon's RPC token (default: GOSSIPD_RPC_AUTH, SERF_RPC_AUTH).",
        metavar="TOKEN",
    ),
)
"""Of every command that asks a daemon, and of the group."""

JSON_OPTION = Option("--json", help="Print JSON.", kind="flag")


def starting_values(command: Command) -> dict[str, Any]:
    """Return the values of a call without any word."""
    values: dict[str, Any] = {}
    for option in command.options:
        if option.kind == "flag":
            values[option.key] = False
        elif option.kind in ("repeat", "pairs"):
            values[option.key] = ()
        else:
            values[option.key] = option.default
    return values


def parse_plain(command: Command, words: Sequence[str]) -> dict[str, Any] | None:
    """Return the values of a plain call, or ``None`` if click has to look at it.

    Plain is: options spelled in full, as ``--name value`` or ``--name=value``,
    no ``--help``, numbers and pairs that are well formed, and the right
    number of arguments. What follows ``--`` are arguments.
    """
    values = starting_values(command)
    by_name = {name: option for option in command.options for name in option.spellings}
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            arguments += rest
            break
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            continue
        name, equals, value = word.partition("=")
        option = by_name.get(name)
        if option is None:
            return None
        if option.kind == "switch":
            is_on = as_switch(word)
            if is_on is None:
                return None
            values[option.key] = is_on
            continue
        if equals and not name.startswith("--"):
            return None
        if option.kind == "flag":
            if equals:
                return None
            values[option.key] = True
            continue
        if not equals:
            following = next(rest, None)
            if following is None or (following.startswith("-") and following != "-"):
                return None
            value = following
        if not _take(values, option, value):
            return None
    return values if _place(values, command.argument, arguments) else None


def _take(values: dict[str, Any], option: Option, text: str) -> bool:
    """Put an option's value among ``values``; tell whether it is well formed."""
    if option.kind == "number":
        number = as_number(text)
        if number is None:
            return False
        values[option.key] = number
    elif option.kind == "count":
        if not is_count(text):
            return False
        values[option.key] = int(text)
    elif option.kind in ("repeat", "pairs"):
        if option.kind == "pairs" and not is_pair(text):
            return False
        values[option.key] += (text,)
    else:
        if option.choices and text.lower() not in option.choices:
            return False
        values[option.key] = text.lower() if option.choices else text
    return True


def _place(values: dict[str, Any], argument: Argument | None, words: list[str]) -> bool:
    if argument is None:
        return not words
    if not argument.at_least <= len(words) <= argument.at_most:
        return False
    if argument.at_most == 1:
        values[argument.key] = words[0] if words else None
    else:
        values[argument.key] = tuple(words)
    return True


def as_number(text: str) -> float | None:
    """Return the seconds in ``text``: a number above 0, perhaps with ``s`` or ``ms``."""
    factor = 1.0
    if text.endswith("ms"):
        text, factor = text[:-2], 0.001
    elif text.endswith("s"):
        text = text[:-1]
    try:
        number = float(text) * factor
    except ValueError:
        return None
    return number if 0 < number < 1e9 else None


def is_count(text: str) -> bool:
    """Return whether ``text`` is a whole number from 0 on."""
    return text.isascii() and text.isdigit() and len(text) <= 9


def as_switch(word: str) -> bool | None:
    """Return what ``--NAME``, ``--no-NAME`` or ``-NAME=VALUE`` says; ``None`` if nothing."""
    name, equals, value = word.partition("=")
    if not equals:
        return not name.startswith("--no-")
    if name.startswith("--no-") or value.lower() not in _SWITCH_VALUES:
        return None
    return _SWITCH_VALUES[value.lower()]


_SWITCH_VALUES = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def is_pair(text: str) -> bool:
    """Return whether ``text`` is ``key=value`` with a key."""
    return text.find("=") > 0


def as_pairs(texts: Sequence[str]) -> dict[str, str]:
    """Return ``key=value`` texts as a map; the last one of a key counts."""
    pairs = {}
    for text in texts:
        key, _, value = text.partition("=")
        pairs[key] = value
    return pairs
