"""``gossipd simulate run --report DIR``: the files of a report, and whose folder that is.

``report.md``, ``outcome.json`` (what ``--json`` prints), ``curves.json`` (what
the plots show) and the plots. Only a folder that is empty or holds a report of
ours and nothing else is written to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from gossipd_sim.curves import course_json
from gossipd_sim.errors import MissingExtra, ScenarioError
from gossipd_sim.markdown import FIRST_LINE, PLOTS, report_markdown
from gossipd_sim.rehearsal import Rehearsal
from gossipd_sim.report import outcome_json
from gossipd_sim.script import Scenario

MARKDOWN, OUTCOME, CURVES = "report.md", "outcome.json", "curves.json"
PICTURES = tuple(f"{name}.{form}" for name in PLOTS for form in ("png", "svg"))
FILES = (MARKDOWN, OUTCOME, CURVES, *PICTURES)


def check_folder(folder: Path) -> None:
    """Refuse a place where a report must not be written; changes nothing.

    Raises:
        ScenarioError: it is a file, or holds what is not a report of ours.
    """
    if not folder.exists() and not folder.is_symlink():
        above = next(parent for parent in folder.absolute().parents if parent.exists())
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise ScenarioError(f"{folder}: no folder can be made in {above}; name another one")
        return
    if not folder.is_dir():
        raise ScenarioError(f"{folder}: is not a folder; name one for the report")
    names = sorted(entry.name for entry in folder.iterdir())
    strange = [name for name in names if name not in FILES]
    if strange:
        what = f"holds {strange[0]!r}, which"
    elif names and not _is_ours(folder / MARKDOWN):
        what = "is not empty and"
    elif not os.access(folder, os.W_OK):
        raise ScenarioError(f"{folder}: may not be written; name another folder")
    else:
        return
    raise ScenarioError(f"{folder}: {what} is no report of ours; name a new or empty folder")


def _is_ours(page: Path) -> bool:
    try:
        with page.open(encoding="utf-8") as file:
            return file.readline().rstrip("\n") == FIRST_LINE
    except (OSError, UnicodeDecodeError):
        return False


def write_report(
    folder: Path,
    scenario: Scenario,
    text: str,
    rehearsals: Sequence[Rehearsal],
    command: str,
) -> str:
    """Write a report into ``folder``, which ``check_folder`` has passed.

    Args:
        text: the scenario as TOML.
        rehearsals: one for each seed, at least one; written in the order of seeds.
        command: repeats the run.

    Returns:
        Why there are no plots, in one line; empty if there are.
    """
    ordered = sorted(rehearsals, key=lambda rehearsal: rehearsal.outcome.seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    # first of all, so that a folder that was cut off is known for ours
    (folder / MARKDOWN).write_text(f"{FIRST_LINE}\n", encoding="utf-8")
    _write_json(folder / OUTCOME, outcomes_json(ordered))
    curves = {str(one.outcome.seed): course_json(one.course) for one in ordered}
    (folder / CURVES).write_text(json.dumps(curves) + "\n", encoding="utf-8")
    missing = _write_plots(folder, scenario, ordered)
    page = report_markdown(scenario, text, ordered, command, missing=missing)
    # names of files and texts of --set may hold bytes that are no text
    (folder / MARKDOWN).write_text(page, encoding="utf-8", errors="backslashreplace")
    return missing


def outcomes_json(rehearsals: Sequence[Rehearsal]) -> dict[str, object]:
    """Return one run as ``--json`` shows it, or several as a list under ``runs``."""
    outcomes = [outcome_json(rehearsal.outcome) for rehearsal in rehearsals]
    if len(outcomes) == 1:
        return outcomes[0]
    return {
        "scenario": rehearsals[0].outcome.scenario,
        "clean": all(outcome["clean"] for outcome in outcomes),
        "runs": outcomes,
    }


def _write_plots(folder: Path, scenario: Scenario, rehearsals: Sequence[Rehearsal]) -> str:
    try:
        from gossipd_sim.plots import write_plots  # the optional extra
    except MissingExtra as error:
        return str(error)
    write_plots([rehearsal.course for rehearsal in rehearsals], scenario.name, folder)
    return ""


def _write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
