"""Accept connections, and close the longest waiting one when there are too many."""

import errno
import logging
import resource
import time
from typing import Any

from gunicorn import sock as gunicorn_sock
from gunicorn.config import Config

from simplestack.server.client_socket import ClientSocket
from simplestack.server.connection import Connection
from simplestack.server.patience import ClientLimits
from simplestack.server.reception import Reception
from simplestack.server.tls_socket import TlsSocket

_log = logging.getLogger("simplestack.server")

#: Delay before a worker accepts connections, per connection that it has, and the largest number counted.
_YIELD_SECONDS = 0.0001
_YIELDING_CONNECTIONS = 10
#: Minimum time between two warnings about too many connections.
_WARNING_SECONDS = 60.0
#: Errors of `accept` when the process or the machine has no file or memory left.
_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Accepts the connections of a worker."""

    def __init__(self, cfg: Config, limits: ClientLimits, reception: Reception) -> None:
        self._cfg = cfg
        self._limits = limits
        self._reception = reception
        self._tls_context = gunicorn_sock.ssl_context(cfg) if cfg.is_ssl else None
        # The other half of the files is for hypervisors.
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = min(cfg.worker_connections, files // 2)
        self._next_warning_seconds = 0.0

    def accept(self, listener: Any) -> bool:
        """Accept connections, after a short delay in which a worker with fewer connections can accept them.

        A connection stays with its worker. Without the delay, one worker could get most of them.

        :return: whether to accept more now; otherwise at the next tick
        """
        count = self._reception.count
        if count:
            time.sleep(min(count, _YIELDING_CONNECTIONS) * _YIELD_SECONDS)
        for _ in range(1 + count // _YIELDING_CONNECTIONS):
            if self._reception.count >= self._most and not self._make_room():
                return False
            try:
                client, address = listener.accept()
            except (
                BlockingIOError,
                ConnectionError,
            ):  # another worker accepted it, or the client disconnected
                return True
            except OSError as error:
                if error.errno in _NO_ROOM:
                    return self._make_room()
                _log.warning("cannot accept a connection: %s", error)
                return False
            try:
                sock = self._socket(client)
            except OSError:  # the client disconnected
                client.close()
                continue
            self._reception.welcome(Connection(self._cfg, sock, address, listener.getsockname()))
        return True

    def _socket(self, client: Any) -> ClientSocket:
        if self._tls_context is None:
            return ClientSocket(client, self._limits)
        return TlsSocket(client, self._limits, self._tls_context)

    def _make_room(self) -> bool:
        now = time.monotonic()
        if now >= self._next_warning_seconds:
            self._next_warning_seconds = now + _WARNING_SECONDS
            count = self._reception.count
            _log.warning("too many connections (%d): closing the one that has waited the longest", count)
        return self._reception.drop_longest()
