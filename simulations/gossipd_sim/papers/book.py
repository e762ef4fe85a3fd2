"""The book of published results: Markdown from sections, the same text from the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

from gossipd_sim.papers.figure import Figure, number_text
from gossipd_sim.papers.recipe import Effort, Recipe, Section

WIDTH = 88
PREFACE = """\
Published results about SWIM, Lifeguard, gossip and network coordinates, each
beside what the code of the daemon does on the simulator. The file is written
by `make papers`, which is `gossipd simulate papers --full --write
docs/papers.md`; `gossipd simulate papers` runs a small sample of it.

A figure *holds* when ours lies in the band. A band is what the source, or the
sampling error of a run of its size, allows; it was fixed before measuring.
Where a figure does not hold the reason stands below the table. Figures without
a band are recorded and not judged. Sources are named by paper and section,
table or figure; *computed* means that the figure follows from a published
formula or from published constants. Measured numbers have four digits.
"""


def book_text(
    sections: Sequence[Section], recipes: Mapping[str, Recipe], effort: Effort, seed: int
) -> str:
    """Return the whole book.

    Args:
        sections: in the order in which they are to stand.
        recipes: by name, for their parts.
        seed: the root of all chance, stated so that the book can be made again.
    """
    figures = [figure for section in sections for figure in section.figures]
    judged = [figure for figure in figures if figure.is_judged]
    holding = sum(figure.holds for figure in judged)
    lines = [
        "# Published results",
        "",
        PREFACE,
        paragraph(
            f"This is the {effort.value} sample with the root seed {seed}:"
            f" {holding} of {len(judged)} judged figures hold"
            f", {len(figures) - len(judged)} are recorded."
        ),
    ]
    part = ""
    for section in sections:
        heading = recipes[section.recipe].part
        if heading != part:
            part = heading
            lines += ["", f"## {part}"]
        lines += ["", section_text(section)]
    return "\n".join(lines).rstrip() + "\n"


def section_text(section: Section) -> str:
    """Return one recipe: how it was run, the table, notes."""
    lines = [f"### {section.recipe}: {section.title}", ""]
    lines += [f"Source: {section.source}", "", paragraph(section.how), ""]
    lines += [_row(("quantity", "published", "band", "ours", "holds", "source"))]
    lines += [_row(("---",) * 6)]
    lines += [_figure_row(figure) for figure in section.figures]
    reasons: dict[str, list[str]] = {}
    for figure in section.figures:
        if figure.note:
            reasons.setdefault(figure.note, []).append(f"*{figure.quantity}*")
    if reasons:
        lines.append("")
    lines += [f"- {'; '.join(quantities)}: {note}" for note, quantities in reasons.items()]
    for note in section.notes:
        lines += ["", note if "\n" in note else paragraph(note)]
    return "\n".join(lines)


def figure_rows(sections: Sequence[Section]) -> list[list[str]]:
    """Return the figures of all sections as rows of a table for a terminal, headings first."""
    rows = [["RECIPE", "QUANTITY", "PUBLISHED", "BAND", "OURS", "HOLDS"]]
    for section in sections:
        for figure in section.figures:
            ours = _with_unit(number_text(figure.measured), figure.unit)
            row = [figure.quantity, figure.published, figure.band, ours, figure.verdict]
            rows.append([section.recipe, *row])
    return rows


def section_json(section: Section) -> dict[str, object]:
    """Return a section as plain values; infinite ends of bands are ``null``."""
    return {
        "recipe": section.recipe,
        "title": section.title,
        "source": section.source,
        "how": section.how,
        "holds": not section.failing,
        "figures": [_figure_json(figure) for figure in section.figures],
        "notes": list(section.notes),
    }


def paragraph(text: str) -> str:
    """Return ``text`` in lines of the book's width."""
    return fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _figure_json(figure: Figure) -> dict[str, object]:
    ends = {"low": figure.low, "high": figure.high, "measured": figure.measured}
    finite = {key: value if abs(value) < float("inf") else None for key, value in ends.items()}
    return {
        "quantity": figure.quantity,
        "published": figure.published,
        "source": figure.source,
        "unit": figure.unit,
        **finite,
        "judged": figure.is_judged,
        "holds": figure.holds,
        "note": figure.note,
    }


def _figure_row(figure: Figure) -> str:
    ours = _with_unit(number_text(figure.measured), figure.unit)
    verdict = figure.verdict if figure.holds else f"**{figure.verdict}**"
    return _row((figure.quantity, figure.published, figure.band, ours, verdict, figure.source))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit else text
