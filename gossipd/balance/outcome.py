"""What came of a request, judged by what the caller's function returned or raised.

Knows no HTTP library: it looks for what answers and errors of the usual ones
(httpx, requests, aiohttp, urllib) have in common.
"""

from __future__ import annotations

NOT_IMPLEMENTED = 501
UNSENT_ERRORS = ("ConnectError", "ConnectTimeout", "ClientConnectorError", "NewConnectionError")
"""Names of errors that tell that no connection came about."""


def is_failure(outcome: object) -> bool:
    """Return whether ``outcome`` speaks against the instance.

    Any exception does, and any answer with a status of 500 and above except 501; not an
    exception about an answer below 500: the instance answered, and the request was wrong.
    """
    status = _status(outcome)
    if status is not None:
        return status >= 500 and status != NOT_IMPLEMENTED
    return isinstance(outcome, BaseException)


def was_never_sent(outcome: object) -> bool:
    """Return whether the request cannot have reached an instance: it may be sent again."""
    seen: set[int] = set()
    while isinstance(outcome, BaseException) and id(outcome) not in seen:
        if isinstance(outcome, ConnectionRefusedError):
            return True
        if any(kind.__name__ in UNSENT_ERRORS for kind in type(outcome).__mro__):
            return True
        seen.add(id(outcome))
        outcome = outcome.__cause__ or outcome.__context__
    return False


def _status(outcome: object) -> int | None:
    for holder in (outcome, getattr(outcome, "response", None)):
        for name in ("status_code", "status", "code"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and not isinstance(status, bool) and status >= 100:
                return status
    return None
