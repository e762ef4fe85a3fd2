"""Real HTTP servers on loopback that can be killed, hang, be slow, or answer 500."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOW_SECONDS = 0.3


class Site:
    """One server; ``mode`` is ``well``, ``hung``, ``slow``, ``500`` or ``reset``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mode = "well"
        self.requests = 0
        self._over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def kill(self) -> None:
        """Stop listening, as a process does that is killed."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.socket.close()
            self._thread.join()

    def close(self) -> None:
        """End it and release who hangs."""
        self._over.set()
        self.kill()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Do to one request what the mode says."""
        self.requests += 1
        if self.mode == "hung":
            self._over.wait(30)
            handler.close_connection = True
            return
        if self.mode == "reset":
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        if self.mode == "slow":
            self._over.wait(SLOW_SECONDS)
        body = self.name.encode()
        handler.send_response(500 if self.mode == "500" else 200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that lost patience are what the tests are about."""
