"""Templates: compiled once, rendered as often as the cluster changes.

Jinja2 in its sandbox, where an undefined name is an error and no empty text.
A template asks for what it needs; what it asked for is noted, so that a
follower knows which changes concern it. Loaded only by ``gossipd template``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gossipd.client.connection import RequestRefused
from gossipd.errors import GossipdError, UsageError
from gossipd.query.requests import AUTH_REQUIRED
from gossipd_cli.templating.quoting import FILTERS
from gossipd_cli.templating.values import (
    TemplateInstance,
    TemplateMember,
    TemplateService,
    show_instance,
    show_member,
    show_summary,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gossipd.query.records import MemberRecord
    from gossipd.services.instance import Instance, ServiceSummary


class TemplateError(GossipdError):
    """The template cannot be rendered; the message names its line."""


class Source(Protocol):
    """What a template may ask of the daemon."""

    def services(self) -> Sequence[ServiceSummary]:
        """Return a line for each known service."""

    def instances(self, name: str, near: str) -> Sequence[Instance]:
        """Return the instances of a service, nearest to ``near`` first if it is not empty."""

    def members(self) -> Sequence[MemberRecord]:
        """Return all members."""

    def node(self) -> str:
        """Return the name of the daemon's own node."""


class Asked:
    """What a template asked for while it was rendered."""

    __slots__ = ("all_services", "hidden", "members", "services")

    def __init__(self) -> None:
        self.services: dict[str, None] = {}
        self.all_services = False
        self.members = False
        self.hidden: list[str] = []
        """Instances that were kept from it, for no host has such an address; and services of
        such names."""


class Template:
    """A compiled template.

    Args:
        path: the file; what it includes is looked for beside it.
        environ: what the template sees as ``env``.

    Raises:
        UsageError: the file cannot be read.
        TemplateError: it is no template.
    """

    def __init__(self, path: str, environ: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._environ = dict(os.environ if environ is None else environ)
        folder = os.path.dirname(path) or "."
        self._environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(folder),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters.update(FILTERS)
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise UsageError(f"cannot read the template {path}: {reason}") from error
        try:
            code = self._environment.compile(text, os.path.basename(path), path)
        except jinja2.TemplateSyntaxError as error:
            where = error.filename or path
            raise TemplateError(f"{where}:{error.lineno}: {error.message}") from error
        globals_ = self._environment.make_globals(None)
        self._template = jinja2.Template.from_code(self._environment, code, globals_)

    def render(self, source: Source, asked: Asked | None = None) -> tuple[str, Asked]:
        """Return the text for the cluster as ``source`` shows it, and what was asked for.

        Args:
            source: answers the template.
            asked: notes what was asked for, also if rendering fails.

        Raises:
            TemplateError: with the line at fault.
            GossipdError: as ``source`` raises it.
        """
        asked = Asked() if asked is None else asked
        try:
            text = self._template.render(self._names(source, asked))
        except RequestRefused as error:  # it asked for something that is not there now
            if error.error == AUTH_REQUIRED:
                raise  # not the template's fault
            raise TemplateError(f"{self._place(error)}: {error}") from error
        except GossipdError:
            raise
        except jinja2.TemplateSyntaxError as error:  # of a file that it includes
            where = error.filename or self.path
            raise TemplateError(f"{where}:{error.lineno}: {error.message}") from error
        except Exception as error:  # whatever the expressions of a template come to
            raise TemplateError(f"{self._place(error)}: {_reason(error)}") from error
        return text, asked

    def _names(self, source: Source, asked: Asked) -> dict[str, Any]:
        def services(tag: str = "") -> list[TemplateService]:
            asked.all_services = True
            found = []
            for summary in source.services():
                shown = show_summary(summary)
                if shown is None:
                    asked.hidden.append(summary.name)
                elif not tag or tag in shown.tags:
                    found.append(shown)
            return found

        def service(
            name: str,
            tag: str | Sequence[str] = (),
            passing: bool = True,
            zone: str = "",
            meta: Mapping[str, str] | None = None,
            near: str = "",
        ) -> list[TemplateInstance]:
            asked.services[str(name)] = None
            found = []
            wanted = (tag,) if isinstance(tag, str) else tuple(tag)
            for instance in source.instances(str(name), near):
                shown = show_instance(instance)
                if shown is None:
                    asked.hidden.append(f"{instance.owner}/{instance.service.id}")
                elif _matches(shown, wanted, passing, zone, meta or {}):
                    found.append(shown)
            return found

        def members(status: str = "") -> list[TemplateMember]:
            asked.members = True
            shown = [show_member(member) for member in source.members()]
            return [member for member in shown if not status or member.status == status]

        return {
            "services": services,
            "service": service,
            "members": members,
            "node": source.node(),
            "env": self._environ,
        }

    def _place(self, error: BaseException) -> str:
        """Return file and line of the innermost template code that ``error`` came through."""
        folder = os.path.dirname(self.path) or "."
        place = self.path
        trace = error.__traceback__
        while trace is not None:
            name = trace.tb_frame.f_code.co_filename
            # jinja2 maps its frames back to the template's own file and line
            if name == self.path or os.path.dirname(name) == folder:
                place = f"{name}:{trace.tb_lineno}"
            trace = trace.tb_next
        return place


def _matches(
    shown: TemplateInstance,
    tags: Sequence[str],
    passing: bool,
    zone: str,
    meta: Mapping[str, str],
) -> bool:
    if passing and not shown.is_passing:
        return False
    if zone and shown.zone != zone:
        return False
    if any(tag not in shown.tags for tag in tags if tag):
        return False
    return all(shown.meta.get(key) == value for key, value in meta.items())


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, jinja2.TemplateError) else f"{type(error).__name__}: {text}"
