"""What a process costs: processor time and memory, as the kernel counts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median


def processor_seconds(pid: int) -> float:
    """Return the time that all threads of ``pid`` have run so far (user and system)."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def waited_seconds(pid: int) -> float:
    """Return for how long the main thread of ``pid`` could have run so far, but had no processor.

    The kernel counts such a wait when it is over.
    """
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[1]) / 1e9


def resident_mb(pid: int) -> float:
    """Return the resident memory of ``pid`` in megabytes (10^6 bytes)."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(f"process {pid} has no memory")


def proportional_bytes(pid: int) -> int:
    """Return the memory of a process, what it shares by its share."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def memory_of_imports(modules: str) -> float:
    """Return the resident megabytes of a Python that only imports ``modules``."""
    program = f"import {modules}; print(open('/proc/self/status').read())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    for line in done.stdout.decode().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the kernel tells no memory")


def duration(words: Sequence[str], environment: dict[str, str]) -> float:
    """Return how many seconds a whole command takes; it must succeed."""
    started = time.perf_counter()
    subprocess.run(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True
    )
    return time.perf_counter() - started


def interleaved_medians(
    looks: Sequence[Callable[[], float]], rounds: int, *, warm_up: int = 1
) -> list[float]:
    """Return each look's median, taken in turns so that a busy moment hits all alike."""
    found: list[list[float]] = [[] for _ in looks]
    for number in range(warm_up + rounds):
        for values, look in zip(found, looks, strict=True):
            value = look()
            if number >= warm_up:
                values.append(value)
    return [median(values) for values in found]
