"""The folder with the workers' figures. The service creates it when it starts, and removes it at its end."""

import atexit
import errno
import fcntl
import functools
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_log = logging.getLogger("simplestack.server")

#: prometheus-client writes into the folder that it names.
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: In memory, because a worker that writes to a busy disk would wait for it.
_MEMORY = Path("/dev/shm")  # noqa: S108  `mkdtemp` makes a private folder in it


@functools.cache
def metrics_folder() -> Path | None:
    """Return the folder of this service, and create it first if necessary.

    Workers inherit the folder. So call this before they are forked, and before a plugin imports
    prometheus-client.

    :return: None if there are no metrics: prometheus-client is not installed, or the log says why
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="simplestack-metrics-", dir=_parent()))
    except OSError as error:
        _log.error("no metrics: cannot create a folder for them: %s", error)
        return None
    atexit.register(_remove, folder, os.getpid())
    os.environ[_VARIABLE] = str(folder)
    try:
        from prometheus_client import values  # noqa: PLC0415  it reads the variable when it is imported
    except ImportError:
        is_usable = False
    else:
        is_usable = values.ValueClass is not values.MutexValue
        if not is_usable:
            _log.error(
                "no metrics: prometheus_client was imported before the service could set %s", _VARIABLE
            )
    if not is_usable:
        del os.environ[_VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return folder


def restore_metrics_folder(folder: Path) -> None:
    """Make the folder again if something removed it.

    systemd-logind, for example, removes what users have in memory when they log out (``RemoveIPC``).

    :raises OSError: it cannot be made, or others have made it or can write to it
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(errno.EPERM, "it is not a folder of this service's alone", str(folder))


@contextmanager
def locked(folder: Path, operation: int) -> Iterator[None]:
    """Lock the folder: shared to add up the figures, exclusively to move them.

    :param operation: of ``fcntl.flock``
    :raises BlockingIOError: it is locked, and `operation` has ``LOCK_NB``
    """
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, operation)
        yield
    finally:
        os.close(lock)


def remove_metrics_folder() -> None:
    """Remove the folder in a worker, if the arbiter cannot."""
    folder = metrics_folder()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _parent() -> Path | None:
    return _MEMORY if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK | os.X_OK) else None


def _remove(folder: Path, owner_pid: int) -> None:
    """Remove the folder at the end of its owner. Forked workers inherit this call."""
    if os.getpid() == owner_pid:
        shutil.rmtree(folder, ignore_errors=True)
