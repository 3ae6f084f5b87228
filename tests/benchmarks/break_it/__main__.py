"""Try to break a service, point by point, with the mock's rate beside it.

    .venv/bin/nox -s break_it

Prints a table: what was done, what the client read, what the operator finds in the log or in the audit, and
the mock's rate of successes meanwhile, divided by that of a quiet phase right before.
"""

import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.break_it.attacks import ATTACKS, Attack
from benchmarks.break_it.plugins import CONFIG, install_all
from support.service import Service, running_service

_PHASE_SECONDS = 5.0
#: Requests to the mock, sent when they are due.
_RATE = 80.0
_CLIENT_SECONDS = 5.0
_EVIDENCE_CHARACTERS = 150


class MockTraffic:
    """Reads of a mock guest at a fixed rate, whatever becomes of those before."""

    def __init__(self, service: Service, pool: ThreadPoolExecutor) -> None:
        self._service = service
        self._pool = pool
        guest = service.get("/mock/traffic/guests?fields=id").json[0]["id"]
        self._path = f"/mock/traffic/guests/{guest}"

    def successes(self, seconds: float) -> float:
        """Return how many a second succeed."""
        started = time.monotonic()
        sent = []
        for number in range(int(_RATE * seconds)):
            time.sleep(max(0.0, started + number / _RATE - time.monotonic()))
            sent.append(self._pool.submit(self._succeeds))
        return sum(request.result() for request in sent) / seconds

    def _succeeds(self) -> bool:
        try:
            return self._service.get(self._path, timeout_seconds=_CLIENT_SECONDS).status == 200
        except OSError:
            return False


@contextmanager
def _going_on(service: Service, attack: Attack) -> Iterator[list[str]]:
    """Repeat an attack by all its clients; yield what they read."""
    read: list[str] = []
    stopping = threading.Event()

    def repeat() -> None:
        while not stopping.wait(0.05):
            try:
                read.append(attack.once(service))
            except OSError as error:
                read.append(f"no response: {type(error).__name__}")

    threads = [threading.Thread(target=repeat) for _ in range(attack.clients)]
    with attack.during(service):
        for thread in threads:
            thread.start()
        try:
            yield read
        finally:
            stopping.set()
            for thread in threads:
                thread.join()


def _evidence(service: Service, attack: Attack) -> str:
    for text in (service.log, service.audit_path.read_text()):
        found = re.search(attack.evidence, text)
        if found:
            return found[0][:_EVIDENCE_CHARACTERS]
    return "NOTHING FOUND"


def _distinct(read: list[str]) -> str:
    return "<br>".join(f"{text} ({read.count(text)}x)" for text in dict.fromkeys(read))


def main() -> None:
    """Try each point and print the table."""
    wanted = sys.argv[1:]
    lines = [
        "| done | the client reads | the operator finds | the mock's rate |",
        "| --- | --- | --- | --- |",
    ]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(400) as pool:
        folder = Path(name)
        install_all(folder / "plugins")
        with running_service(folder / "service", CONFIG, plugins=folder / "plugins") as service:
            traffic = MockTraffic(service, pool)
            for attack in ATTACKS:
                if wanted and not attack.what.startswith(tuple(wanted)):
                    continue
                quiet = traffic.successes(_PHASE_SECONDS)
                with _going_on(service, attack) as read:
                    rate = traffic.successes(_PHASE_SECONDS) / quiet
                evidence = _evidence(service, attack)
                lines.append(f"| {attack.what} | {_distinct(read)} | `{evidence}` | {100 * rate:.0f} % |")
                print(lines[-1], file=sys.stderr, flush=True)  # noqa: T201  its progress
            code = service.stop()
        lines.append(f"\nThe service ended with {code}.")
    print("\n".join(lines))  # noqa: T201  its output


main()
