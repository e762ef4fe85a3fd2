"""``gossipd config``: check files before the start, show what holds, also of a running daemon."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from gossipd_cli import exits
from gossipd_cli.agent import click_options, given_flags
from gossipd_cli.render import as_json, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gossipd.config.load import Loaded
    from gossipd.config.origin import Complaint
    from gossipd.config.settings import Setting


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=False,  # it would be a complaint of many lines
)
def command() -> None:
    """Check configuration files, or show the configuration that holds."""


@command.command("check")
@click.argument("paths", nargs=-1, metavar="FILE|DIR...", type=click.Path())
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
def check_command(paths: tuple[str, ...], as_json_: bool) -> None:
    """Check files as the agent would read them, together and in this order.

    Without any the agent's own default file is checked. Exit code 2 if
    something is wrong; every complaint names file, line and key. What the
    environment and flags say is not looked at.
    """
    sys.exit(exits.run_guarded(lambda: _check(paths, as_json_)))


def _check(paths: Sequence[str], wants_json: bool) -> int:
    from gossipd.config.load import examine
    from gossipd.config.origin import Complaint, Origin
    from gossipd.errors import ConfigError
    from gossipd_cli.configuration import DEFAULT_FILE, default_files, read_files, service_files

    files, unread = [], []
    for path in paths or default_files():
        try:
            files.extend(read_files([path]))
        except ConfigError as error:
            unread.append(Complaint(Origin(path), "", str(error)))
    if not files and not unread:
        where = ", ".join(paths) or DEFAULT_FILE
        exits.complain(f"nothing to check: no *.toml or *.json in {where}")
        return exits.USAGE
    name = os.uname().nodename
    loaded, found = examine(files, {}, {}, node_name=name)
    services_dir = "" if loaded is None else loaded.config.services_dir
    try:
        services = service_files(paths or default_files(), services_dir)
    except ConfigError as error:
        services, unread = [], [*unread, Complaint(Origin(""), "", str(error))]
    if services:
        loaded, found = examine(files, {}, {}, node_name=name, services=services)
        files.extend(services)
    complaints = [*unread, *found]
    warnings: list[str] = []
    if loaded is not None:
        complaints.extend(_complaints_of_tags(loaded))
        warnings.extend(loaded.config.warnings)
        if loaded.config.services:
            _rehearse(loaded, complaints, warnings)
    if wants_json:
        sys.stdout.write(
            as_json(
                {
                    "files": [file.name for file in files],
                    "ok": not complaints,
                    "complaints": [_as_map(complaint) for complaint in complaints],
                    "warnings": warnings,
                }
            )
        )
    else:
        for complaint in complaints:
            sys.stderr.write(f"{printable(str(complaint))}\n")
        for warning in warnings:
            sys.stdout.write(f"warning: {printable(warning)}\n")
        if not complaints:
            names = ", ".join(printable(file.name) for file in files)
            sys.stdout.write(f"{names}: ok\n")
    return exits.USAGE if complaints else exits.DONE


def _complaints_of_tags(loaded: Loaded) -> Iterator[Complaint]:
    """Tell of tags that are too long together, which only their encoding shows."""
    from gossipd.config.origin import DEFAULT, Complaint
    from gossipd.errors import UsageError
    from gossipd.serf.tags import encode_own_tags
    from gossipd.wire.meta_tail import meta_tail

    tags = loaded.config.node.tags
    try:
        encode_own_tags(tags, meta_tail(1) if loaded.config.node.catalog.enabled else b"")
    except UsageError as error:
        longest = max(tags, key=lambda tag: len(tags[tag]))
        origin = loaded.origins.get(f"tags.{longest}", (DEFAULT,))[-1]
        yield Complaint(origin, f"tags.{longest}", str(error))


def _rehearse(loaded: Loaded, complaints: list[Complaint], warnings: list[str]) -> None:
    """Add what a node would say if it registered the services."""
    from gossipd.agent.services.rehearsal import rehearse
    from gossipd.config.origin import DEFAULT, Complaint

    config = loaded.config
    for service, refusal, warned in rehearse(config.node, config.services):
        origin = loaded.origins.get(f"service.{service.id}", (DEFAULT,))[-1]
        if refusal:
            complaints.append(Complaint(origin, "service", refusal))
        warnings.extend(f"{origin}: service {service.id!r}: {text}" for text in warned)


def _as_map(complaint: Complaint) -> dict[str, object]:
    return {
        "file": complaint.origin.name,
        "line": complaint.origin.line or None,
        "column": complaint.origin.column or None,
        "key": complaint.key or None,
        "text": complaint.text,
    }


def _show_given(**given: object) -> None:
    shared = click.get_current_context().find_root().obj or {}
    wants_json, is_running = bool(given.pop("json")), bool(given.pop("running"))
    flags = given_flags(given)
    if is_running:
        # of the agent's flags these two say where a running one is asked
        asked = {key: flags.pop(key, None) or shared.get(key) for key in ("socket", "rpc_auth")}
        sys.exit(exits.run_guarded(lambda: _show_running(flags, asked, wants_json)))
    sys.exit(exits.run_guarded(lambda: _show(flags, wants_json)))


def _show(flags: dict[str, object], wants_json: bool) -> int:
    from gossipd.config.settings import settings_of
    from gossipd_cli.configuration import configured

    return _print(settings_of(configured(flags, os.environ)), wants_json)


def _show_running(flags: dict[str, object], asked: dict[str, object], wants_json: bool) -> int:
    from gossipd.errors import UsageError
    from gossipd_cli.context import connect

    if flags:
        raise UsageError("--running shows what a daemon holds: it takes no other settings")
    with connect(asked) as client:
        return _print(client.settings(), wants_json)


def _print(settings: Sequence[Setting], wants_json: bool) -> int:
    from gossipd.config.settings import as_toml

    sys.stdout.write(_as_json_text(settings) if wants_json else as_toml(settings))
    return exits.DONE


def _as_json_text(settings: Sequence[Setting]) -> str:
    return as_json(
        {
            ".".join(part for part in (setting.table, setting.key) if part): {
                "value": list(setting.value) if isinstance(setting.value, tuple) else setting.value,
                "from": setting.origin,
            }
            for setting in settings
        }
    )


command.add_command(
    click.Command(
        "show",
        params=[
            click.Option(["--running"], is_flag=True, help="Ask the daemon on this host."),
            click.Option(["--json"], is_flag=True, help="Print JSON."),
            *click_options(),
        ],
        callback=_show_given,
        help=(
            "Show every setting and where its value comes from, as TOML.\n\n"
            "Takes the flags of the agent and reads what it would read. Secrets are not"
            " shown. With --running, what the daemon at --socket runs with now."
        ),
    )
)
