"""Where audit lines go: standard output, in whole lines.

The logging package takes as long for a line as all the rest of core for a request, and a write for each line
costs a system call and the interpreter's lock. So lines of operations that only read are gathered for a
moment; a line of an operation that changes something is written at once, behind those gathered before it.
"""

import atexit
import logging
import os
import sys
import threading
import time

_log = logging.getLogger("simplestack.dispatch")

#: Maximum delay of a line of an operation that changes nothing.
_GATHERING_SECONDS = 0.1


class AuditOutput:
    """Standard output, shared by all threads of a process. A forked child starts without lines."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._writing = threading.Lock()
        self._gathering = threading.Event()
        self._writer_pid: int | None = None

    def write(self, line: bytes, *, at_once: bool) -> None:
        """Write a line now, or together with later ones."""
        self._lines.append(line)
        if at_once:
            self.flush()
        elif not self._gathering.is_set():
            if self._writer_pid != os.getpid():
                self._start_writer()
            self._gathering.set()

    def flush(self) -> None:
        """Write all waiting lines."""
        with self._writing:
            # The list stays the same one: another thread may be about to append to it.
            count = len(self._lines)
            text = b"".join(self._lines[:count])
            del self._lines[:count]
            try:
                while text:
                    text = text[os.write(sys.stdout.fileno(), text) :]
            except OSError as error:  # the operations have happened: their clients must hear so
                _log.error("%d audit lines are lost: %s", text.count(b"\n"), error)

    def _start_writer(self) -> None:
        with self._writing:
            if self._writer_pid == os.getpid():
                return
            self._writer_pid = os.getpid()
        atexit.register(self.flush)
        threading.Thread(target=self._write_gathered, name="simplestack-audit", daemon=True).start()

    def _write_gathered(self) -> None:
        while self._gathering.wait():
            time.sleep(_GATHERING_SECONDS)
            self._gathering.clear()
            self.flush()
