"""Try to break a service, point by point, with the mock's rate beside it.

    .venv/bin/nox -s break_it

Prints a table: what was done, what the client read, what the operator finds in the log or in the audit, the
mock's rate of successes meanwhile, divided by that of a quiet phase right before, and the mock's p99 in both.
Exits with 1 where the operator finds nothing of a point.
"""

import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.break_it.attacks import ATTACKS, Attack
from benchmarks.break_it.evidence import Seen, evidence, seen_by_now
from benchmarks.break_it.mock_traffic import measured, reader
from benchmarks.break_it.plugins import CONFIG, install_all
from support.service import Service, running_service

_PHASE_SECONDS = 5.0


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


def _distinct(read: list[str]) -> str:
    return "<br>".join(f"{text} ({read.count(text)}x)" for text in dict.fromkeys(read))


def _tried(attack: Attack, service: Service, pool: ThreadPoolExecutor) -> tuple[str, bool]:
    """Try a point; return its row, and whether the operator finds of it what there shall be."""
    read_mock = reader(service)
    quiet = measured(read_mock, _PHASE_SECONDS, pool)
    seen = Seen(0, 0) if attack.is_logged_at_start else seen_by_now(service)
    with _going_on(service, attack) as read:
        during = measured(read_mock, _PHASE_SECONDS, pool)
    found = None if attack.evidence is None else evidence(service, attack.evidence, seen)
    is_found = (found is None) == (attack.evidence is None)
    shown = found or ("nothing, on purpose" if attack.evidence is None else "NOTHING FOUND")
    rate = 100 * during.rate / quiet.rate if quiet.rate else 0
    p99 = f"{quiet.p99_ms:.0f} | {during.p99_ms:.0f}"
    return f"| {attack.what} | {_distinct(read)} | `{shown}` | {rate:.0f} % | {p99} |", is_found


def main() -> int:
    """Try each point and print the table; return 1 where an operator would not find what was done."""
    wanted = sys.argv[1:]
    lines = [
        "| done | the client reads | the operator finds | the mock's rate | p99 before, ms | meanwhile, ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lost: list[str] = []
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(400) as pool:
        folder = Path(name)
        install_all(folder / "plugins")
        with running_service(folder / "service", CONFIG, plugins=folder / "plugins") as service:
            for attack in ATTACKS:
                if wanted and not attack.what.startswith(tuple(wanted)):
                    continue
                line, is_found = _tried(attack, service, pool)
                lines.append(line)
                lost += [] if is_found else [attack.what]
                print(line, file=sys.stderr, flush=True)  # noqa: T201  its progress
            code = service.stop()
        lines.append(f"\nThe service ended with {code}.")
    print("\n".join(lines))  # noqa: T201  its output
    return 1 if lost or code else 0


if __name__ == "__main__":
    sys.exit(main())
