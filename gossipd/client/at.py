"""``At``: where to send one request, and how a program says what came of it.

Shared by the blocking and the async balancer.
"""

from __future__ import annotations

from gossipd.balance.outcome import is_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gossipd.services.instance import Instance


class At:
    """An instance that was chosen for a request.

    Args:
        instance: as the catalog had it when it was chosen.
        timeout: seconds that the request may take; ``None`` is no limit.
    """

    __slots__ = ("_failed", "instance", "timeout")

    def __init__(self, instance: Instance, timeout: float | None = None) -> None:
        self.instance = instance
        self.timeout = timeout
        """For the library that sends the request: balancers cannot stop a blocking call."""
        self._failed = False

    @property
    def host(self) -> str:
        """IP or name."""
        return self.instance.address

    @property
    def port(self) -> int:
        """As registered; 0 if none was."""
        return self.instance.service.port

    @property
    def netloc(self) -> str:
        """``host:port`` as in a URL, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def url(self, path: str = "/", scheme: str = "http") -> str:
        """Return the URL of ``path`` there."""
        return f"{scheme}://{self.netloc}{path if path.startswith('/') else f'/{path}'}"

    def fail(self) -> None:
        """Say that the instance failed this request, though nothing was raised."""
        self._failed = True

    @property
    def is_failed(self) -> bool:
        """Whether ``fail`` was called."""
        return self._failed


def verdict(at: At, error: BaseException | None) -> bool | None:
    """Return whether the instance did its part; ``None`` if the caller broke off."""
    if at.is_failed:
        return False
    if error is None:
        return True
    return not is_failure(error) if isinstance(error, Exception) else None
