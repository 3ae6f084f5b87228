"""Keep the figures of workers that have ended: their counters never go back, and their gauges go."""

import fcntl
import logging
from pathlib import Path
from typing import Any

from gunicorn.config import Config

from simplestack.server.metrics.folder import locked, metrics_folder, restore_metrics_folder

_log = logging.getLogger("simplestack.server")

#: Types of metrics whose figures are added up over all workers that ever ran.
_ADDED_UP = ("counter", "histogram", "summary")


def keep_figures_of_ended_workers(cfg: Config) -> None:
    """Make gunicorn's arbiter process the files of each worker that has ended.

    :param cfg: gunicorn's settings; a ``child_exit`` in them is called, too
    """
    folder = metrics_folder()
    own = cfg.child_exit
    if folder is None or isinstance(own, _ChildExit):
        return
    cfg.set("child_exit", _ChildExit(folder, own))


class _ChildExit:
    """Gunicorn's hook ``child_exit``."""

    def __init__(self, folder: Path, own: Any) -> None:
        self._folder = folder
        self._own = own
        self._ended_pids: set[int] = set()

    def __call__(self, server: Any, worker: Any) -> None:
        """Process the files, and those that could not be processed before."""
        try:
            self._process(worker.pid, server.WORKERS.keys())
        except Exception:  # the arbiter must not end
            _log.exception("cannot keep the metrics of an ended worker")
        self._own(server, worker)

    def _process(self, pid: int, running_pids: Any) -> None:
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415  it may be missing

        restore_metrics_folder(self._folder)  # it may be somebody else's: then remove nothing
        mark_process_dead(pid, str(self._folder))
        self._ended_pids.add(pid)
        self._ended_pids -= running_pids  # a new worker with the same ID continues its file
        try:
            with locked(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
                while self._ended_pids:
                    ended = self._ended_pids.pop()
                    for kind in _ADDED_UP:
                        _move(self._folder / f"{kind}_{ended}.db", self._folder / f"{kind}_ended.db")
        except BlockingIOError:  # a worker adds them up; the arbiter must not wait
            return


def _move(source: Path, target: Path) -> None:
    """Add the figures of a file to another one, and remove it.

    Otherwise each worker that ever ran would leave files behind, which every response of ``/metrics`` reads.
    """
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415  it may be missing

    if not source.exists():
        return
    added, total = MmapedDict(str(source), read_mode=True), MmapedDict(str(target))
    try:
        for key, value, *_ in added.read_all_values():
            total.write_value(key, total.read_value(key)[0] + value, 0.0)
    finally:
        added.close()
        total.close()
    source.unlink()
