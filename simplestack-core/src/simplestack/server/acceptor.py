"""New connections: how many a worker accepts, and which go when there are too many."""

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

#: How long a worker waits before it accepts more, for each connection that it has, and for how many at most.
_YIELD_SECONDS = 0.0001
_YIELDING_CONNECTIONS = 10
#: How often the log says that there are too many connections.
_WARNING_SECONDS = 60.0
#: What `accept` fails with when the process or the machine has no room for one more.
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
        """Accept connections, after a moment in which a worker with fewer of them may accept them.

        Kept connections stay where they are. Accepted as they come, most may land in one process.

        :return: whether to go on; else after a while
        """
        count = self._reception.count
        if count:
            time.sleep(min(count, _YIELDING_CONNECTIONS) * _YIELD_SECONDS)
        for _ in range(1 + count // _YIELDING_CONNECTIONS):
            if self._reception.count >= self._most and not self._make_room():
                return False
            try:
                client, address = listener.accept()
            except (BlockingIOError, ConnectionError):  # another worker was faster, or the client has left
                return True
            except OSError as error:
                if error.errno in _NO_ROOM:
                    return self._make_room()
                _log.warning("a connection could not be accepted: %s", error)
                return False
            try:
                sock = self._socket(client)
            except OSError:  # the client has left
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
            _log.warning("there are too many connections (%d): the one that waits the longest goes", count)
        return self._reception.drop_longest()
