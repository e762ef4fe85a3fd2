"""``gossipd completion``: the script that makes a shell complete our words."""

from __future__ import annotations

import sys

from gossipd_cli import exits
from gossipd_cli.plain import Argument, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SHELLS = ("bash", "zsh", "fish")


def _completion(values: Mapping[str, Any]) -> int:
    from click.shell_completion import get_completion_class

    from gossipd_cli.main import COMPLETE_VARIABLE, click_group

    shell = values["shell"]
    found = get_completion_class(shell) if shell in SHELLS else None
    if found is None:
        exits.complain(f"no completion for {shell!r}: there is {', '.join(SHELLS)}")
        return exits.USAGE
    sys.stdout.write(found(click_group(), {}, "gossipd", COMPLETE_VARIABLE).source())
    return exits.DONE


COMPLETION = Command(
    "completion",
    _completion,
    help="""Print the completion script of SHELL: bash, zsh or fish.

    For bash: source <(gossipd completion bash)
    """,
    argument=Argument("shell", "SHELL", words=SHELLS),
)
