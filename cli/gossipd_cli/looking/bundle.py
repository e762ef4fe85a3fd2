"""``gossipd debug bundle``: all that a bug report needs, in one file, without secrets."""

from __future__ import annotations

import io
import os
import platform
import sys
import tarfile
import time
from importlib import metadata

from gossipd.client.connection import RequestRefused
from gossipd.client.endpoint import find_auth
from gossipd.config.settings import Setting, as_toml
from gossipd.errors import GossipdError, UsageError
from gossipd.services.saved import write_own_services
from gossipd.version import __version__
from gossipd_cli import exits
from gossipd_cli.context import connect
from gossipd_cli.looking.hiding import HIDDEN, scrubbed, setting_value, without_secrets
from gossipd_cli.looking.process import facts_of, listening_process
from gossipd_cli.plain import SOCKET_OPTIONS, Argument, Command, Option
from gossipd_cli.render import as_json, member_json
from gossipd_cli.services.showing import summary_json, view_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from gossipd.client.blocking import Client

PACKAGES = ("trio", "msgpack", "cryptography", "google-re2", "dnspython", "h11", "rich", "click")
LOG_LEVEL = "DEBUG"
SERVICES_MAX = 500
"""Services whose instances are written; of the others there is a line."""
READ_ME = """\
What gossipd knew and how it was, for a bug report. Look through it before you send it:
names, addresses, tags, metadata and the output of checks are in it. Tokens and keys,
what checks send, commands of handlers and values whose names sound like secrets are not.
tasks.txt says in which functions the daemon waits, and nothing of what it works with there.
"""


def _debug(values: Mapping[str, Any]) -> int:
    if values["what"] != "bundle":
        raise UsageError(f"debug {values['what']!r}: the only word taken is bundle")
    name = values["output"] or time.strftime("gossipd-%Y%m%d-%H%M%S.tar.gz")
    files = collect(values)
    write(name, files)
    sys.stdout.write(f"{name}\n" if name != "-" else "")
    return exits.DONE


def collect(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of a bundle by name.

    Raises:
        DaemonUnreachable: there is no daemon to ask.
    """
    token = find_auth(values["rpc_auth"], os.environ)
    files: dict[str, str] = {"README.txt": READ_ME, "versions.json": as_json(_versions())}
    with connect(values) as client:
        for file, ask in _QUESTIONS.items():
            files[file] = _asked(ask, client)
        path = client.endpoint.path
    with connect(values) as client:
        files["log.txt"] = _asked(_log, client)
    pid = listening_process(path) if path else None
    if pid is None:
        files["process/README.txt"] = "only known over a unix socket of this machine\n"
    else:
        files |= facts_of(pid)
    return {file: scrubbed(text, [token]) for file, text in files.items()}


def _asked(ask: Callable[[Client], str], client: Client) -> str:
    """Return what ``ask`` finds out, or why it does not: the rest of the bundle is worth having."""
    try:
        return ask(client)
    except RequestRefused as error:
        return f"not answered: {error}\n"


def _versions() -> dict[str, Any]:
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = "not installed"
    return {
        "gossipd": __version__,
        "python": sys.version,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "packages": packages,
    }


def _statistics(client: Client) -> str:
    return as_json(without_secrets(client.stats()))


def _members(client: Client) -> str:
    return as_json([without_secrets(member_json(member)) for member in client.members()])


def _services(client: Client) -> str:
    summaries = client.services()
    views = [
        without_secrets(view_json(client.service(each.name))) for each in summaries[:SERVICES_MAX]
    ]
    return as_json({"services": [summary_json(each) for each in summaries], "instances": views})


def _own_services(client: Client) -> str:
    return as_json(without_secrets(write_own_services(client.own_services())))


def _configuration(client: Client) -> str:
    shown = []
    for each in client.settings():
        value = setting_value(each.key, each.value)
        shown.append(Setting(each.table, each.key, _plain(value), each.origin))
    return as_toml(shown)


def _tasks(client: Client) -> str:
    lines = client.tasks() or ["this daemon does not tell"]
    return "".join([f"{line}\n" for line in lines])


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _log(client: Client) -> str:
    return "".join([f"{record.text}\n" for record in client.kept_log(LOG_LEVEL)])


_QUESTIONS: dict[str, Callable[[Client], str]] = {
    "statistics.json": _statistics,
    "members.json": _members,
    "services.json": _services,
    "own-services.json": _own_services,
    "configuration.toml": _configuration,
    "tasks.txt": _tasks,
}


class CannotWrite(GossipdError):
    """The bundle could not be written."""


def write(name: str, files: Mapping[str, str]) -> None:
    """Write a tar.gz of ``files`` that only its owner may read; ``-`` is standard output.

    Raises:
        CannotWrite: it cannot be written, or a file of that name is there already.
    """
    packed = _packed(files)
    if name == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(packed)
        return
    try:
        opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(opened, "wb") as output:
            output.write(packed)
    except OSError as error:
        raise CannotWrite(f"cannot write {name}: {error.strerror}") from error


def _packed(files: Mapping[str, str]) -> bytes:
    raw = io.BytesIO()
    now = int(time.time())
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, text in sorted(files.items()):
            content = text.encode("utf-8", "backslashreplace")
            entry = tarfile.TarInfo(f"gossipd-debug/{name}")
            entry.size, entry.mtime, entry.mode = len(content), now, 0o600
            archive.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


DEBUG = Command(
    "debug",
    _debug,
    help=f"""Write what a bug report needs into one file, as only its owner may read it.

    bundle: members, services, statistics, the kept log, the configuration, versions, where
    the daemon's tasks stand, and the daemon as a process. Tokens, keys, commands and what
    checks send are written as {HIDDEN}.
    """,
    options=(
        Option(
            "-o",
            "--output",
            help="The file; - for standard output (default: gossipd-DATE.tar.gz).",
            metavar="FILE",
        ),
        *SOCKET_OPTIONS,
    ),
    argument=Argument("what", "bundle", words=("bundle",)),
)
