"""One script check: a command without a shell; its exit status and its last words.

0 passes, 1 warns, all else is critical. A last line ``load=0.73`` tells the load of
the service. At the time-out the whole process group is ended, see ``handlers/script.py``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from gossipd.agent.checks.result import Result, end, load_in
from gossipd.agent.handlers.script import run_command
from gossipd.services.definition import CRITICAL, PASSING, WARNING, CheckDefinition


async def check_script(
    check: CheckDefinition, service: str, environment: Mapping[bytes, bytes]
) -> Result:
    """Run ``check.args`` once, within ``check.timeout``.

    Args:
        check: its id is in ``GOSSIPD_SERVICE_CHECK``.
        service: id, in ``GOSSIPD_SERVICE_ID``; empty for a check of the node.
        environment: variables on top of the daemon's own.
    """
    outcome = await run_command(
        check.args,
        {
            **os.environb,
            **environment,
            b"GOSSIPD_SERVICE_CHECK": os.fsencode(check.id),
            b"GOSSIPD_SERVICE_ID": os.fsencode(service),
        },
        b"",
        check.timeout,
    )
    said = outcome.output.decode("utf-8", "replace")
    load = load_in(said)
    if not outcome.error:
        return Result(PASSING, end(said), load)
    output = end(f"{said.rstrip()}\n{outcome.error}" if said.strip() else outcome.error)
    return Result(WARNING if outcome.code == 1 else CRITICAL, output, load)
