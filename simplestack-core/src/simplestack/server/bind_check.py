"""Try the address that the service listens on.

Gunicorn would retry for 5 s, and not say what to do.
"""

import errno
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from gunicorn.util import is_ipv6, parse_address

#: Maximum length of the path of a Unix socket on Linux: unix(7), without the NUL at its end.
_MAX_PATH_BYTES = 107
#: Variables of systemd and of gunicorn's own restart, which pass sockets that are bound already.
_PASSED_SOCKETS = ("LISTEN_FDS", "GUNICORN_FD")
_REASONS = {
    errno.EADDRINUSE: "{bind} is in use: stop the program that listens there, or set another port",
    errno.EADDRNOTAVAIL: "{host} is not an address of this machine: use one of its own, or 0.0.0.0 for all",
    errno.EACCES: (
        "this user may not listen on port {port}: use a port from 1024, or give the service the capability "
        "CAP_NET_BIND_SERVICE"
    ),
}


def bind_problem(
    bind: str, environment: Mapping[str, str] = os.environ, *, may_be_in_use: bool = False
) -> str | None:
    """Return why the service cannot listen on an address, or None.

    It is not tried if a process manager passes the socket.

    :param bind: ``HOST:PORT`` or ``unix:PATH``, in the form that the settings accept
    :param may_be_in_use: whether the running service may have the address
    """
    if bind.startswith("fd://") or any(name in environment for name in _PASSED_SOCKETS):
        return None
    address = parse_address(bind)
    if isinstance(address, tuple):
        host, port = address
        why = _address_problem(bind, host, port, may_be_in_use=may_be_in_use)
    else:
        why = _path_problem(str(address))
    return why and f"server.bind: {why}"


def _address_problem(bind: str, host: str, port: int, *, may_be_in_use: bool) -> str | None:
    try:
        # The family that gunicorn chooses.
        with socket.socket(socket.AF_INET6 if is_ipv6(host) else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except socket.gaierror as error:
        return f"cannot resolve {host!r}: {error.strerror}"
    except OSError as error:
        if error.errno == errno.EADDRINUSE and may_be_in_use:
            return None
        known = _REASONS.get(error.errno or 0)
        if known is None:
            return f"cannot listen on {bind}: {error.strerror}"
        return known.format(bind=bind, host=host, port=port)
    return None


def _path_problem(text: str) -> str | None:
    """Return what is wrong with the path of a Unix socket. An old socket is fine: gunicorn replaces it."""
    if text.startswith("\0"):  # no file: unix(7), abstract
        return None
    path = Path(text)
    if not text or len(os.fsencode(text)) > _MAX_PATH_BYTES:
        return f"the path of a Unix socket has 1 to {_MAX_PATH_BYTES} bytes"
    if not path.parent.is_dir():
        return f"{path.parent} is not a folder: create it"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"this user may not create a socket in {path.parent}"
    try:
        is_other = not stat.S_ISSOCK(path.stat().st_mode)
    except FileNotFoundError:
        is_other = False
    return f"{path} is not a socket: remove it, or set another path" if is_other else None
