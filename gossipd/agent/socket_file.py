"""The local query socket: a unix socket file that belongs to one live daemon.

A file left behind by a daemon that died is replaced; one that somebody still
answers is refused. Mode 0660: owner and group may ask.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress

from gossipd.agent.listening import listening_address
from gossipd.agent.sockaddr import family_of
from gossipd.agent.system_errors import reason_of
from gossipd.errors import ConfigError

SOCKET_MODE = 0o660
FOLDER_MODE = 0o755
LISTEN_BACKLOG = 64
_ANSWER_TIMEOUT = 1.0


class SocketFile:
    """A listening unix socket and the file that stands for it."""

    def __init__(self, path: str) -> None:
        """Bind ``path`` and listen.

        Raises:
            ConfigError: a live daemon has it, or it cannot be made there.
        """
        self.path = path
        try:
            os.makedirs(os.path.dirname(os.path.abspath(path)), FOLDER_MODE, exist_ok=True)
            self.listener = _listen(path)
        except OSError as error:
            raise ConfigError(f"cannot listen on socket {path}: {reason_of(error)}") from error

    def remove(self) -> None:
        """Stop listening and delete the file, unless another daemon has taken its place."""
        self.listener.close()
        with suppress(OSError):
            if not _is_served(self.path):
                os.unlink(self.path)


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~SOCKET_MODE)
    try:
        try:
            listener.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            _clear_stale(path)
            listener.bind(path)
        listener.listen(LISTEN_BACKLOG)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener


def _clear_stale(path: str) -> None:
    """Delete a socket file that nobody answers.

    Raises:
        ConfigError: somebody does, or it is not a socket.
    """
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise ConfigError(f"{path} exists and is not a socket: choose another --socket")
    if _is_served(path):
        raise ConfigError(f"socket {path} is served by a running daemon: stop it, or use --socket")
    os.unlink(path)


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(_ANSWER_TIMEOUT)
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            return False
        except (BlockingIOError, TimeoutError):
            return True  # its backlog is full: it lives
        return True


def listen_tcp(key: str, text: str, default_port: int) -> socket.socket:
    """Listen on ``host:port`` for the query protocol.

    Raises:
        ConfigError: the address is in use or not of this machine; ``key`` is named.
    """
    at = listening_address(key, text, default_port)
    listener = socket.socket(family_of(at.ip), socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((at.host, at.port))
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot bind {key} {at}: {reason_of(error)}") from error
    listener.setblocking(False)
    return listener
