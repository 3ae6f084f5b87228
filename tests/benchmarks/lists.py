"""What benchmarks of lists share: an SDK in a process of its own, our lists, and how long others wait."""

import contextlib
import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.comparisons import Comparison, Goal, take_turns
from benchmarks.rest_layer import load
from benchmarks.scale import Scale
from support.service import Service, running_service

_TURNS = """
import sys, time
print("ready", flush=True)
for _ in sys.stdin:
    started = time.perf_counter()
    make_list()
    print(time.perf_counter() - started, flush=True)
"""


@dataclass(frozen=True)
class Sdk:
    """A process with an SDK in it, which makes a list when it is told to."""

    pid: int
    _requests: IO[str]
    _answers: IO[str]

    def milliseconds(self) -> float:
        """Have a list made, and return how long it took."""
        self._requests.write("\n")
        self._requests.flush()
        return 1000 * float(self._answers.readline())


@contextlib.contextmanager
def running_sdk(script: str, *arguments: object) -> Iterator[Sdk]:
    """Run a process with an SDK until the block ends.

    :param script: logs in, and defines ``make_list()``
    :param arguments: the script's ``sys.argv[1:]``
    """
    command = [sys.executable, "-c", script + _TURNS, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None or process.stdout.readline() != "ready\n":
            raise SystemExit("the SDK could not log in")
        yield Sdk(process.pid, process.stdin, process.stdout)
        process.stdin.close()


def make_list(service: Service, path: str, header: Mapping[str, str]) -> float:
    """List all guests of a host over a new connection, and return how many milliseconds it took.

    :param path: of the host
    """
    client = http.client.HTTPConnection(*service.address)
    started = time.perf_counter()
    client.request("GET", f"{path}/guests", headers=dict(header))
    answer = client.getresponse()
    body = answer.read()
    client.close()
    if answer.status != 200:
        raise SystemExit(f"the guests were not listed: {body[:500]!r}")
    return 1000 * (time.perf_counter() - started)


def waits(
    benchmark: str, what: str, *, config: str, folder: Path, make: Callable[[Service], object], scale: Scale
) -> Comparison:
    """Ask for a mock's guest while another client has lists made, one after the other.

    :param what: the lists: ``1,000 guests``
    :param config: of the service, in TOML
    """
    with running_service(folder, config) as service:
        guest = service.get("/mock/demo/guests").json[0]["id"]
        url = f"http://127.0.0.1:{service.port}/mock/demo/guests/{guest}"
        done = threading.Event()

        def lists() -> None:
            while not done.is_set():
                make(service)

        def measure(busy: bool) -> Callable[[], float]:
            def measured() -> float:
                done.clear()
                other = threading.Thread(target=lists)
                if busy:
                    other.start()
                p99 = load(url, 1, scale.seconds).p99_ms
                done.set()
                if busy:
                    other.join()
                return p99

            return measured

        found = take_turns(scale.rounds, {"busy": measure(True), "idle": measure(False)})
    return Comparison(
        benchmark=benchmark,
        what=f"GET of a mock's guest during lists of {what}, 99th percentile",
        beside="without lists",
        unit="ms",
        ours=found["busy"],
        other=found["idle"],
        goal=Goal(of="figure", at_most=50),
    )
