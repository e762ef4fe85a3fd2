"""What every Prometheus exporter tells of its process, under the names that all of them use."""

from __future__ import annotations

import os
import resource

from gossipd.metrics.families import COUNTER, GAUGE, Family

FAMILIES: tuple[Family, ...] = (
    Family("process_cpu_seconds_total", COUNTER, "User and system time used."),
    Family("process_resident_memory_bytes", GAUGE, "Resident memory."),
    Family("process_virtual_memory_bytes", GAUGE, "Virtual memory."),
    Family("process_start_time_seconds", GAUGE, "When it started, seconds since 1970."),
    Family("process_open_fds", GAUGE, "Open descriptors."),
    Family("process_max_fds", GAUGE, "Descriptors that it may open."),
)


def process_values() -> dict[str, float]:
    """Return the values of ``FAMILIES`` by name."""
    with open("/proc/self/stat", "rb") as file:
        # the second field is the program's name, which may hold anything
        fields = file.read().rpartition(b")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return {
        "process_cpu_seconds_total": (int(fields[11]) + int(fields[12])) / ticks,
        "process_resident_memory_bytes": int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        "process_virtual_memory_bytes": int(fields[20]),
        "process_start_time_seconds": _booted_at() + int(fields[19]) / ticks,
        "process_open_fds": len(os.listdir("/proc/self/fd")) - 1,  # without the listing's own
        "process_max_fds": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


def _booted_at() -> int:
    with open("/proc/stat", "rb") as file:
        for line in file:
            if line.startswith(b"btime "):
                return int(line.split()[1])
    return 0
