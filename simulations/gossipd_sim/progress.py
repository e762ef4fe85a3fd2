"""A progress bar on stderr while somebody watches, and nothing otherwise.

The one place of the simulator that looks at a real clock (inside ``rich``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(label: str, total: float) -> Iterator[Callable[[float, str], None]]:
    """Show a bar; yields ``advance(by, note)``.

    Args:
        total: what the advances add up to when all is done.
    """
    if not sys.stderr.isatty():
        yield lambda by, note: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(label, total=total, note="")
    with bar:
        yield lambda by, note: bar.update(task, advance=by, note=note)
