"""The bars of the soak test: a run that reaches all of them, and what misses which."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.soak.bars import bars
from benchmarks.soak.findings import Ending, Findings, GuestsLeft
from benchmarks.soak.samples import Phase, Sample
from benchmarks.soak.watching import PoolUse


def good_findings() -> Findings:
    """Return what a run finds that reaches every bar."""
    phases = [Phase("quiet", 1, 0, 10), Phase("stopped-pool", 1, 10, 20)]
    return Findings(
        ("mock", "calm pool"),
        timeout_seconds=20,
        phases=phases,
        samples=[
            Sample(10 * number + due / 10, target, "guest_info", number, 20, 200, is_success=True)
            for number in range(2)
            for due in range(100)
            for target in ("mock", "calm pool")
        ],
        guests_left=[GuestsLeft(target="mock", lost=0, undeleted=0, unconfirmed=1)],
        lost_connections={"calm pool": 2},
        pools_left=[PoolUse(pool="calm pool", sessions=2, tasks=0)],
        ending=Ending(
            had_died=False,
            stop_seconds=1,
            was_killed=False,
            processes_left=0,
            log_errors=0,
            log_tracebacks=0,
        ),
    )


def missed_bars(findings: Findings) -> list[str]:
    return [bar.what for bar in bars(findings) if not bar.is_reached]


def test_a_good_run_reaches_every_bar() -> None:
    assert missed_bars(good_findings()) == []


def worse(sample: Sample, **changes: Any) -> Sample:
    return sample._replace(**changes) if (sample.target, sample.phase) == ("mock", 0) else sample


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"status": 503, "is_success": False}, "quiet: mock, successes"),
        ({"latency_ms": 600.0}, "quiet: mock, p99"),
        ({"wrong": "no guest"}, "wrong responses"),
    ],
)
def test_a_bad_quiet_phase_misses_a_bar(changes: dict[str, Any], what: str) -> None:
    findings = good_findings()
    findings.samples = [worse(sample, **changes) for sample in findings.samples]
    assert missed_bars(findings) == [what]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (
            {"guests_left": [GuestsLeft(target="mock", lost=1, undeleted=0, unconfirmed=0)]},
            "mock: guests that were created, and are not there",
        ),
        (
            {"guests_left": [GuestsLeft(target="mock", lost=0, undeleted=1, unconfirmed=0)]},
            "mock: guests that were deleted, and are there",
        ),
        (
            {"guests_left": [GuestsLeft(target="mock", lost=0, undeleted=0, unconfirmed=0, problem="503")]},
            "mock: guests",
        ),
        (
            {"pools_left": [PoolUse(pool="calm pool", sessions=3, tasks=0)]},
            "calm pool: sessions when the service has stopped",
        ),
        ({"pools_left": []}, "calm pool: sessions when the service has stopped"),
        ({"ending": None}, "the service ran to the end"),
    ],
)
def test_what_a_run_leaves_misses_a_bar(changes: dict[str, Any], what: str) -> None:
    assert missed_bars(replace(good_findings(), **changes)) == [what]


def test_a_round_without_anything_to_compare_with_misses_the_bar_of_its_goal() -> None:
    findings = good_findings()
    findings.samples = [
        sample._replace(status=503, is_success=False) if sample.target == "calm pool" else sample
        for sample in findings.samples
    ]
    assert missed_bars(findings) == [
        "quiet: calm pool, successes",
        "stopped-pool: calm pool, rounds without rate",
    ]
