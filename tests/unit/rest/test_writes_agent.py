"""What operators command an agent through HTTP."""

from __future__ import annotations

import pytest

from gossipd.errors import ConfigError, Unavailable, UsageError
from support.fake_handle import FakeHandle, make_member, make_view
from support.rest_writes import Writer


def writer() -> tuple[Writer, FakeHandle]:
    handle = FakeHandle(make_view(make_member("a"), make_member("cedar")))
    return Writer(handle=handle), handle


async def test_maintenance_of_the_node() -> None:
    one = Writer()
    await one.put("/v1/agent/service/register", {"Name": "web"})
    assert await one.said("/v1/agent/maintenance?enable=True&reason=r") == (200, "")
    assert one.handle.own_services().node.maintenance == "r"
    assert one.handle.service("web").instances[0].status == "critical"
    assert await one.said("/v1/agent/maintenance?enable=false") == (200, "")
    assert one.handle.own_services().node.maintenance == ""
    assert one.handle.service("web").instances[0].status == "passing"
    assert await one.said("/v1/agent/maintenance") == (400, "Missing value for enable")


async def test_joining() -> None:
    one, handle = writer()
    handle.joinable.add("127.0.0.62")
    assert await one.said("/v1/agent/join/127.0.0.62") == (200, "")
    assert handle.calls == [("join", ("127.0.0.62",), False)]
    status, text = await one.said("/v1/agent/join/127.0.0.63")
    assert (status, text) == (500, "Failed to join 127.0.0.63: connection refused")
    status, text = await one.said("/v1/agent/join/127.0.0.62?wan=1")
    assert (status, text) == (400, "wan: there is one pool of members; join without it")
    assert (await one.said("/v1/agent/join/127.0.0.62?wan=0"))[0] == 200
    handle.refusals["join"] = UsageError("this node is leaving")
    assert await one.said("/v1/agent/join/127.0.0.62") == (500, "this node is leaving")


async def test_forcing_a_leave() -> None:
    one, handle = writer()
    assert await one.said("/v1/agent/force-leave/cedar") == (200, "")
    assert await one.said("/v1/agent/force-leave/cedar?prune") == (200, "")
    assert handle.calls == [("force-leave", "cedar", False), ("force-leave", "cedar", True)]
    assert await one.said("/v1/agent/force-leave/x") == (404, "No node found with name 'x'")
    handle.refusals["force-leave"] = Unavailable("not gossiped in time")
    assert await one.said("/v1/agent/force-leave/cedar") == (500, "not gossiped in time")


async def test_leaving() -> None:
    one, handle = writer()
    assert await one.said("/v1/agent/leave") == (200, "")
    assert handle.calls == [("leave",)]
    assert one.lines == ["agent.http: Graceful leave triggered"]
    handle.refusals["leave"] = UsageError("Leave already in progress")
    assert await one.said("/v1/agent/leave") == (500, "Leave already in progress")


@pytest.mark.parametrize(
    "error", [ConfigError("log_level is 'x'"), UsageError("this agent cannot reload")]
)
async def test_reloading(error: ConfigError | UsageError) -> None:
    one, handle = writer()
    assert await one.said("/v1/agent/reload") == (200, "")
    assert handle.calls == [("reload",)]
    handle.refusals["reload"] = error
    assert await one.said("/v1/agent/reload") == (500, str(error))
