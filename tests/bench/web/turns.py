"""How long nothing else runs while a long answer is written, or many clients are told.

By the processor's time of this thread: others on the machine take none of it.
"""

from __future__ import annotations

import gc
import resource
import time
from pathlib import Path
from statistics import median

import trio

from bench.report import Row
from gossipd.catalog.events import ServiceChanged
from gossipd.config.faces import HttpConfig
from gossipd.rest.table import all_routes
from gossipd.rest.transport.limits import HttpLimits
from gossipd.services.instance import Instance
from support.fake_handle import FakeHandle, make_member, make_view
from support.fake_services import make_instance
from support.http_desk import ask, body_of, make_desk
from support.http_face import Face
from support.http_face import get as request_for

INSTANCES, CLIENTS = 1000, 2000
DESCRIPTORS = 8192
PATH = "/v1/health/service/web"
ROUNDS = 5
BAR_MS, TOLD_BAR_MS = 5.0, 10.0
PATHS = {
    "/v1/health/service/web": "health",
    "/v1/health/service/web?filter=Service.Port+==+8080": "health, with a filter",
    "/v1/catalog/service/web": "catalog",
}


def handle_with(count: int) -> FakeHandle:
    """Return a cluster whose members run one instance each."""
    names = [f"node-{place:05}" for place in range(count)]
    handle = FakeHandle(make_view(make_member("a"), *map(make_member, names)))
    instances: list[Instance] = [
        make_instance(name, meta={"version": "2.1"}, tags=("http", "blue"), port=8080)
        for name in names
    ]
    handle.show_together("web", instances)
    return handle


async def longest(path: str, count: int) -> tuple[float, float]:
    """Return the longest time between two turns of another task, and the time to the answer."""
    desk, gap = make_desk(handle_with(count)), 0.0

    async def take_turns() -> None:
        nonlocal gap
        last = time.thread_time()
        while True:
            await trio.lowlevel.checkpoint()
            now = time.thread_time()
            gap, last = max(gap, now - last), now

    await ask(desk, "/v1/catalog/nodes")  # the nodes are read for any answer
    gc.collect()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_turns)
        for _ in range(2):
            await trio.lowlevel.checkpoint()
        began = time.thread_time()
        reply = await ask(desk, path)
        taken = time.thread_time() - began
        for _ in range(2):  # the other task's turn may be the later one of a pass
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert len(body_of(reply)) == count  # type: ignore[arg-type]
    return gap, taken


async def told_together(count: int) -> float:
    """Return the longest time between two turns while so many clients are told of one change."""
    handle, gap = handle_with(2), 0.0
    async with trio.open_nursery() as nursery:
        face = Face(nursery, all_routes(HttpConfig()), HttpLimits(), HttpConfig(), handle)
        face.start()
        clients = [face.connect() for _ in range(count)]
        index = (await clients[0].ask(request_for(PATH))).headers["x-consul-index"]
        for client in clients:
            await client.send(request_for(f"{PATH}?index={index}&wait=10m"))
        while face.counted("waits.begun") < count:
            await trio.lowlevel.checkpoint()
        gc.collect()
        handle.show(make_instance("node-00001", status="critical"))
        handle.happen(ServiceChanged("web", handle.index))
        last = time.thread_time()
        while face.counted("waits.ended") < count:
            await trio.lowlevel.checkpoint()
            now = time.thread_time()
            gap, last = max(gap, now - last), now
        nursery.cancel_scope.cancel()
    for client in clients:
        client.socket.close()
    return gap


def measure(folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Return lines of the table, and further figures."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    rows, taken = [], []
    for path, name in PATHS.items():
        found = [trio.run(longest, path, INSTANCES) for _ in range(ROUNDS)]
        gap = median(gap for gap, _ in found) * 1e3
        what = f"longest turn while {INSTANCES:,} instances are written ({name})"
        rows.append(Row(what, "ms", gap, BAR_MS, "the bar", 1.0))
        taken.append(f"{name} {median(seconds for _, seconds in found) * 1e3:.0f} ms")
    told = median(trio.run(told_together, CLIENTS) for _ in range(ROUNDS)) * 1e3
    rows.append(
        Row(
            f"longest turn while {CLIENTS:,} clients are told",
            "ms",
            told,
            TOLD_BAR_MS,
            "the bar",
            1.0,
        )
    )
    return rows, {f"first answer of {INSTANCES:,} instances": ", ".join(taken)}
