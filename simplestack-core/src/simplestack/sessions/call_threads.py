"""Threads that perform calls, kept for the next calls.

A C library sets up state of its own in each new thread: the first calls of libvirt in one take 0.5 ms longer.
"""

import os
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread

#: How long a thread waits for its next call before it ends.
_IDLE_SECONDS = 60.0

_Jobs = SimpleQueue[Callable[[], object]]


class CallThreads:
    """Daemon threads: one that hangs must not keep the process."""

    def __init__(self) -> None:
        """Start without any."""
        #: The queues of the threads that wait for a call. Appending to a list and taking from it are atomic.
        self._idle: list[_Jobs] = []
        os.register_at_fork(after_in_child=self._idle.clear)

    def run(self, job: Callable[[], object]) -> None:
        """Call `job` in a thread of its own until it returns.

        :param job: raises nothing
        :raises RuntimeError: the system has no more threads
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
                except ValueError:  # a caller has just taken it: its job follows
                    continue
                return
            job()
            del job  # and with it all that it refers to
            self._idle.append(jobs)
