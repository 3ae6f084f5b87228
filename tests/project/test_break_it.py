"""What the attacks on a service measure: an operator's evidence, and what others get meanwhile."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.break_it.attacks import ATTACKS
from benchmarks.break_it.evidence import evidence, seen_by_now
from benchmarks.break_it.mock_traffic import measured
from project.repository import ROOT
from support.service import Service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service that has written something already, and does nothing."""
    log, audit = tmp_path / "log", tmp_path / "audit"
    log.write_text("SystemExit: in connect\n")
    audit.write_text('"guest_clone" "ok"\n')
    with subprocess.Popen(["true"]) as process:
        yield Service(0, process, log, audit)


def test_evidence_of_an_attack_comes_after_its_beginning(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.break_it.evidence._WAIT_SECONDS", 0.0)
    seen = seen_by_now(service)
    assert evidence(service, "SystemExit: in connect", seen) is None
    assert evidence(service, '"guest_clone".*"ok"', seen) is None
    service.log_path.write_text(service.log + "SystemExit: in connect\n")
    assert evidence(service, "SystemExit: in connect", seen) == "SystemExit: in connect"
    assert evidence(service, '"guest_clone".*"ok"', seen) is None


def test_no_two_points_have_the_same_evidence() -> None:
    patterns = [attack.evidence for attack in ATTACKS if attack.evidence is not None]
    assert len(patterns) == len(set(patterns))


def test_responses_after_the_phase_are_no_part_of_its_rate() -> None:
    began = time.monotonic()

    def stalled() -> bool:
        """Succeed, but no sooner than a second after the beginning."""
        time.sleep(max(0.0, began + 1 - time.monotonic()))
        return True

    with ThreadPoolExecutor(100) as pool:
        phase = measured(stalled, 0.5, pool)
        usual = measured(lambda: True, 0.5, pool)
    assert phase.rate == 0
    assert phase.p99_ms > 900
    assert usual.rate == 80
    assert usual.p99_ms < phase.p99_ms


def test_a_request_that_fails_counts_as_one_that_waited_for_its_time_out() -> None:
    with ThreadPoolExecutor(100) as pool:
        phase = measured(lambda: False, 0.1, pool)
    assert phase == (0, 5000)


def test_a_point_is_tried_and_shown() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.break_it", "3. sys.exit in connect"],
        env={"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "| 3. sys.exit in connect | 500 InternalError: " in done.stdout
    assert " | `SystemExit: in connect` | " in done.stdout
