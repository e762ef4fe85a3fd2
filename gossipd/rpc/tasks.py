"""Where the daemon's tasks stand: trio's tree of tasks with the functions that each waits in.

For bug reports, so names alone: of functions, files and lines. No local variable and no
argument is looked at, for they may hold anything. Bounded in tasks, frames and lines; what is
alike, as a thousand clients that wait, is told once with its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import trio

TASKS_MAX = 2000
"""Tasks that are looked at; of the others only their number is told."""
FRAMES_MAX = 24
"""Of one task, the innermost ones."""
LINES_MAX = 3000
CHARACTERS_MAX = 160
"""Of a line."""
DEPTH_MAX = 40
_NAME = re.compile(r"[\w.<>]+")
_INDENT = "  "
_TRAPS = "trio/_core/_traps.py"
"""In which every task that waits stands at last."""


def told_tasks() -> list[str]:
    """Return the tree as lines, the root first."""
    root = trio.lowlevel.current_root_task()
    if root is None:
        return []
    budget = [TASKS_MAX]
    lines: list[str] = []
    for line in _told([root], 0, budget):
        if len(lines) >= LINES_MAX:
            lines.append("and more")
            break
        lines.append(line[:CHARACTERS_MAX])
    living = trio.lowlevel.current_statistics().tasks_living
    if budget[0] <= 0:
        lines.append(f"{living} tasks in all; {TASKS_MAX} were looked at")
    return lines


def _told(tasks: Iterable[trio.lowlevel.Task], depth: int, budget: list[int]) -> Iterator[str]:
    """Yield the lines of sibling tasks; those that stand alike and have no children as one."""
    alike: dict[tuple[str, ...], int] = {}
    parents: list[tuple[tuple[str, ...], list[list[trio.lowlevel.Task]]]] = []
    for task in tasks:
        if budget[0] <= 0:
            break
        budget[0] -= 1
        shown = _shown(task)
        nurseries = [_in_order(nursery.child_tasks) for nursery in task.child_nurseries]
        if any(nurseries):
            parents.append((shown, nurseries))
        else:
            alike[shown] = alike.get(shown, 0) + 1
    indent = _INDENT * depth
    for (name, *frames), count in alike.items():
        yield f"{indent}{name}" + (f" ({count} times)" if count > 1 else "")
        for frame in frames:
            yield f"{indent}{_INDENT}at {frame}"
    for (name, *frames), nurseries in parents:
        yield f"{indent}{name}"
        for frame in frames:
            yield f"{indent}{_INDENT}at {frame}"
        for children in nurseries:
            if depth >= DEPTH_MAX:
                yield f"{indent}{_INDENT}{len(children)} deeper"
            else:
                yield from _told(children, depth + 1, budget)


def _in_order(tasks: Iterable[trio.lowlevel.Task]) -> list[trio.lowlevel.Task]:
    return sorted(tasks, key=lambda task: task.name)


def _shown(task: trio.lowlevel.Task) -> tuple[str, ...]:
    """Return the task's name, and the functions it stands in, the outermost first."""
    frames = [
        f"{frame.f_code.co_qualname} ({_file(frame.f_code.co_filename)}:{line})"
        for frame, line in task.iter_await_frames()
        if not frame.f_code.co_filename.endswith(_TRAPS)
    ]
    left_out = len(frames) - FRAMES_MAX
    if left_out > 0:
        frames = [f"{left_out} more", *frames[-FRAMES_MAX:]]
    return _name(task), *frames


def _name(task: trio.lowlevel.Task) -> str:
    """Return the task's name if it is one of a function: others hold what they were made of."""
    return task.name if _NAME.fullmatch(task.name) else "a task"


def _file(path: str) -> str:
    """Return the last three parts: where Python lies says whose machine this is."""
    return "/".join(path.split("/")[-3:])
