"""Simulated Xen pools, each in a process that can be killed, stopped and started again."""

import contextlib
import http.client
import json
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from simulators.tls import Trust

_STOP_SECONDS = 20
_CONTROL_SECONDS = 5
_START_ATTEMPTS = 10
_RETRY_SECONDS = 1
#: So that an export does not fit into the buffers of the sockets between here and there.
EXPORT_BYTES = 32 * 1024**2


class Pool:
    """A simulated pool. Its address outlives its process."""

    def __init__(self, trust: Trust, vms: int) -> None:
        self._trust = trust
        self._vms = vms
        self._context = ssl.create_default_context(cafile=str(trust.ca_file))
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self._is_stopped = False

    @property
    def base(self) -> str:
        """Its path at the service."""
        return f"/xen/127.0.0.1%3A{self._port}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def responds(self) -> bool:
        """Whether it runs and is not stopped."""
        return self._process is not None and not self._is_stopped

    def start(self) -> None:
        """Start it, empty but for its first guests, and wait until it listens."""
        options = ["--certificate", self._trust.certificate, "--port", self._port, "--vms", self._vms]
        options += ["--content", EXPORT_BYTES]
        command = [sys.executable, "-m", "simulators.xapi", *map(str, options)]
        for _ in range(_START_ATTEMPTS):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            if process.stdout is None:
                raise AssertionError("it was asked for")
            lines = takewhile(lambda line: line != "ready\n", process.stdout)
            printed = dict(line.split() for line in lines)
            if "master" in printed:
                self._process, self._port = process, int(printed["master"].rpartition(":")[2])
                return
            # While it was down, a client's connection to somewhere else may have taken its port.
            process.stdout.close()
            process.wait(_STOP_SECONDS)
            time.sleep(_RETRY_SECONDS)
        raise AssertionError(f"the simulator does not start at port {self._port}")

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop its process: connections stay, and nothing is answered."""
        self._running.send_signal(signal.SIGSTOP)
        self._is_stopped = True

    def go_on(self) -> None:
        """Let a stopped process go on."""
        self._running.send_signal(signal.SIGCONT)
        self._is_stopped = False

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._end(signal.SIGTERM)

    def inject(self, rule: dict[str, Any]) -> None:
        """Order a fault."""
        self._control("POST", "faults", json.dumps(rule).encode())

    def forget_faults(self) -> None:
        """End all faults, and let go what hangs."""
        self._control("DELETE", "faults")

    def messages(self) -> dict[str, int]:
        """Return how often each message came since it was started."""
        counts: dict[str, int] = json.loads(self._control("GET", "counts"))
        return counts

    def objects(self) -> dict[str, int]:
        """Return the number of objects of each class."""
        counts: dict[str, int] = json.loads(self._control("GET", "objects"))
        return counts

    @property
    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            raise AssertionError("the simulator is not running")
        return self._process

    def _control(self, method: str, what: str, body: bytes | None = None) -> bytes:
        url = f"https://127.0.0.1:{self._port}/simulator/{what}"
        request = urllib.request.Request(url, body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_CONTROL_SECONDS, context=self._context) as response:  # noqa: S310  https
                content: bytes = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError("the simulator was killed in the middle of a response") from error
        return content

    def _end(self, number: signal.Signals) -> None:
        process = self._running
        process.send_signal(number)
        process.wait(_STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
        self._process, self._is_stopped = None, False


@contextlib.contextmanager
def running(trust: Trust, vms: int) -> Iterator[Pool]:
    """Run a pool until the block ends."""
    pool = Pool(trust, vms)
    pool.start()
    try:
        yield pool
    finally:
        pool.close()
