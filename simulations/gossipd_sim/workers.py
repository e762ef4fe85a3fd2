"""Where work is done: processes of this machine, or a Dask cluster (``--on``).

``dask`` starts a cluster on this machine, which listens on loopback alone;
``dask://HOST:PORT`` uses the scheduler there. Dask is wanted for sweeps over
several machines: the default, plain processes, starts faster.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from gossipd.errors import ConfigError, Unavailable, UsageError
from gossipd.version import __version__
from gossipd_sim.interrupts import HeldInterrupts, unseen_by_children
from gossipd_sim.pool import Crew, Workers, ignore_interrupts

LOCAL = "dask"
CONNECT_SECONDS = 10.0
LOOPBACK = "127.0.0.1"
_ELSEWHERE = re.compile(r"dask://(\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]]+):(\d{1,5})/?")


@contextmanager
def open_workers(on: str, jobs: int) -> Iterator[Workers]:
    """Yield what ``pool.run_all`` takes; what was started is ended behind it.

    Args:
        on: empty for processes of this machine, ``dask`` or ``dask://HOST:PORT``.
        jobs: processes to use, >= 1; a Dask cluster elsewhere has its own.

    Raises:
        ConfigError: ``on`` is none of these, or Dask is not installed.
        Unavailable: the scheduler does not answer, or its workers cannot do our work.
    """
    if not on:
        yield jobs
        return
    address = _scheduler_of(on)
    with _dask(address, jobs) as crew:
        yield crew


def _scheduler_of(on: str) -> str:
    """Return where the scheduler is, empty for one that is to be started."""
    if on == LOCAL:
        return ""
    found = _ELSEWHERE.fullmatch(on)
    if found is None or not 0 < int(found[2]) < 65536:
        raise UsageError(f"--on {on!r}: write dask, or dask://HOST:PORT of a running scheduler")
    return f"tcp://{found[1]}:{found[2]}"


@contextmanager
def _dask(address: str, jobs: int) -> Iterator[Crew]:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise ConfigError(
            "--on needs Dask, which is not installed: pip install 'gossipd[sim]'"
        ) from error
    for handler in logging.getLogger("distributed").handlers:
        handler.setLevel(logging.CRITICAL)  # errors are ours to tell, in one line
    with ExitStack() as started:
        is_ours = not address
        if is_ours:
            address = started.enter_context(_local_cluster(distributed, jobs))
        try:
            client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise Unavailable(
                f"no Dask scheduler answers at {address.removeprefix('tcp://')}:"
                " start one with 'dask scheduler', and 'dask worker' beside it"
            ) from error
        started.enter_context(client)
        _check_workers(client)
        if is_ours:
            client.run(ignore_interrupts)  # Ctrl-C reaches the whole process group
        try:
            yield Crew(client.get_executor(), max(1, sum(client.nthreads().values())))
        except distributed.scheduler.KilledWorker as error:
            raise Unavailable(f"workers of Dask ended before their work was done: {error}") from (
                error
            )


@contextmanager
def _local_cluster(distributed: Any, jobs: int) -> Iterator[str]:
    """Start a scheduler and ``jobs`` workers here, reached by loopback; yields its address."""
    with ExitStack() as started:
        with HeldInterrupts(), unseen_by_children():  # Dask cannot be cut off while it starts
            cluster = started.enter_context(
                distributed.LocalCluster(
                    n_workers=jobs,
                    threads_per_worker=1,
                    processes=True,
                    host=LOOPBACK,
                    dashboard_address=f"{LOOPBACK}:0",
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=50,
                )
            )
        yield str(cluster.scheduler_address)


def _check_workers(client: Any) -> None:
    """Refuse workers that lack this very version: their runs would be others than ours."""
    try:
        versions = client.run(our_version)
    except Exception as error:  # whatever their unpickling raised there
        raise Unavailable(
            f"a Dask worker cannot load gossipd ({error}):"
            f" pip install gossipd=={__version__} on every worker"
        ) from error
    if not versions:
        raise Unavailable("the Dask scheduler has no workers: start some with 'dask worker'")
    for worker, version in versions.items():
        if version != __version__:
            raise Unavailable(
                f"the Dask worker {worker} has gossipd {version}, this is {__version__}:"
                " the same seed would give another run there"
            )


def our_version() -> str:
    """Return the version of gossipd in the process that is asked."""
    return __version__
