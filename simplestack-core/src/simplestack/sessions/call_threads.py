"""A pool of threads for calls.

Reusing threads is faster: the first calls of libvirt in a new thread take 0.5 ms longer.
"""

import os
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread

#: How long an idle thread waits for its next call before it ends.
_IDLE_SECONDS = 60.0

_Jobs = SimpleQueue[Callable[[], object]]


class CallThreads:
    """Daemon threads, so that a hanging thread does not keep the process alive."""

    def __init__(self) -> None:
        """Start without threads."""
        #: Queues of the idle threads. `append` and `pop` of a list are atomic.
        self._idle: list[_Jobs] = []
        os.register_at_fork(after_in_child=self._idle.clear)

    def run(self, job: Callable[[], object]) -> None:
        """Call `job` in an idle or new thread.

        :param job: must not raise
        :raises RuntimeError: the system cannot start another thread
        """
        try:
            jobs = self._idle.pop()
        except IndexError:
            jobs = SimpleQueue()
            jobs.put(job)
            Thread(target=self._serve, args=(jobs,), name="simplestack-call", daemon=True).start()
        else:
            jobs.put(job)

    def _serve(self, jobs: _Jobs) -> None:
        while True:
            try:
                job = jobs.get(timeout=_IDLE_SECONDS)
            except Empty:
                try:
                    self._idle.remove(jobs)
                except ValueError:  # a caller has taken this queue: its job follows
                    continue
                return
            job()
            del job  # and everything that it references
            self._idle.append(jobs)
