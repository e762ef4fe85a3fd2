"""``gossipd watch``: the instances of a service as they come, change and go."""

from __future__ import annotations

import sys
import time

from gossipd_cli import exits
from gossipd_cli.plain import JSON_OPTION, SOCKET_OPTIONS, Argument, Command, Option, as_pairs
from gossipd_cli.reader import end_with_reader
from gossipd_cli.render import as_json_line, table
from gossipd_cli.services.following import Following
from gossipd_cli.services.known import Known, newest_of_each
from gossipd_cli.services.showing import change_json, instance_json, instance_row, instance_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from gossipd.services.instance import Instance, ServiceChange

SET = "set"
"""Kind of what a watch begins with."""


def _watch(values: Mapping[str, Any]) -> int:
    name = values["name"]
    known = Known(wanting(values))
    following = Following(
        values, name, known, on_away=lambda error: exits.complain(f"{error}; trying again")
    )
    following.connect()  # a daemon that is not there at the start is a mistake
    if not values["exec"]:
        end_with_reader()
    try:
        following.next_batch()
        if values["exec"]:
            _run(values["exec"], name, SET, _set_json(name, known))
        elif values["json"]:
            sys.stdout.write(as_json_line(_set_json(name, known)))
        else:
            sys.stdout.write(instance_table(list(known.instances.values())))
        while True:
            sys.stdout.flush()
            changes = following.next_batch() or ()
            if values["exec"]:
                for change in newest_of_each(changes):
                    _run(values["exec"], name, change.kind, _change_json(name, change))
            elif values["json"]:
                sys.stdout.writelines(as_json_line(_change_json(name, one)) for one in changes)
            else:
                sys.stdout.write(_change_table(changes))
    except KeyboardInterrupt:
        return exits.DONE
    finally:
        following.close()


def wanting(values: Mapping[str, Any]) -> Callable[[Instance], bool]:
    """Return what ``--tag``, ``--meta``, ``--zone`` and ``--passing`` let through."""
    tags, meta, zone = values["tag"], as_pairs(values["meta"]), values["zone"]
    passing = values["passing"]

    def is_wanted(instance: Instance) -> bool:
        if passing and not instance.is_usable:
            return False
        if zone and instance.zone != zone:
            return False
        service = instance.service
        if any(tag not in service.tags for tag in tags):
            return False
        return all(service.meta.get(key) == value for key, value in meta.items())

    return is_wanted


def _set_json(name: str, known: Known) -> dict[str, Any]:
    instances = [instance_json(one) for one in known.instances.values()]
    return {"kind": SET, "name": name, "index": known.index, "instances": instances}


def _change_json(name: str, change: ServiceChange) -> dict[str, Any]:
    return {"name": name} | change_json(change)


def _change_table(changes: Sequence[ServiceChange]) -> str:
    now = time.monotonic()
    return table([[one.kind, *instance_row(one.instance, now)] for one in changes])


def _run(command: str, name: str, kind: str, shown: dict[str, Any]) -> None:
    """Run the command with ``shown`` on its standard input, and wait for it.

    What happens meanwhile is kept by the daemon, or told anew as a whole if it is too much.
    """
    import os
    import subprocess  # a watch without --exec does without

    environment = os.environ | {"GOSSIPD_SERVICE": name, "GOSSIPD_CHANGE": kind}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        input=as_json_line(shown).encode("utf-8", "backslashreplace"),
        env=environment,
        check=False,
    )
    if done.returncode:
        exits.complain(f"--exec: exit code {done.returncode}: {command}")


WATCH = Command(
    "watch",
    _watch,
    help="""Follow the service NAME until Ctrl-C: the set as it is, then each change.

    A change is up, changed or down (gone; with filters, no longer among those
    that match). With --json each line is one object, told apart by "kind".
    --exec runs a shell command for the set and for each change, with the object
    on its standard input, one at a time; of several changes of one instance
    that come meanwhile it is run for the last. Goes on over restarts of the daemon.
    """,
    options=(
        Option("--tag", help="Only with this tag; repeatable.", kind="repeat", metavar="TAG"),
        Option("--meta", help="Only with this; repeatable.", kind="pairs", metavar="KEY=VALUE"),
        Option("--zone", help="Only there.", metavar="ZONE"),
        Option("--passing", help="Only those that pass and take part.", kind="flag"),
        Option("--exec", help="Run CMD for the set and for each change.", metavar="CMD"),
        JSON_OPTION,
        *SOCKET_OPTIONS,
    ),
    argument=Argument("name", "NAME", offers="services"),
)
