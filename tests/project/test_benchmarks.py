"""The benchmarks: they run, and the documentation shows what they found."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.comparisons import Comparison, Goal
from benchmarks.report import RECORD, Record, joined, published, quoted, read_record
from project.repository import ROOT


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_documentation_shows_the_record() -> None:
    assert quoted() == published(read_record(RECORD)), "`nox -s benchmarks -- --record` writes both"


def test_the_record_is_of_a_whole_run_that_reached_every_goal() -> None:
    record = read_record(RECORD)
    assert not record.quick
    assert {found.benchmark for found in record.comparisons} == set(record.times) == set(BENCHMARKS)
    assert [found.what for found in record.comparisons if found.reaches_goal is False] == []


def test_a_run_prints_a_table_and_keeps_every_figure(tmp_path: Path) -> None:
    done = run(tmp_path, "--quick", "dispatch")
    assert done.returncode == 0, done.stderr
    record = read_record(tmp_path / ".benchmarks/latest.json")
    assert record.quick
    assert record.comparisons
    for found in record.comparisons:
        assert len(found.ours) == len(found.other) > 0
        assert f"| {found.what} " in done.stdout


def test_an_unknown_benchmark_is_answered_with_those_there_are(tmp_path: Path) -> None:
    done = run(tmp_path, "dispath")
    assert done.returncode == 2
    assert "no benchmark dispath; there are: rest-layer, dispatch, images" in done.stderr


def test_a_benchmark_is_recorded_anew_beside_the_others_of_the_same_machine() -> None:
    before = read_record(RECORD)
    (again, *_) = before.times
    new = Record(
        times={again: datetime.now(UTC)},
        quick=False,
        machine=before.machine,
        comparisons=[found for found in before.comparisons if found.benchmark == again],
    )
    made = joined(before, new)
    assert made.times == before.times | new.times
    assert sorted(found.what for found in made.comparisons) == sorted(
        found.what for found in before.comparisons
    )
    new.machine = before.machine | {"python": "2.7"}
    with pytest.raises(ValueError, match="python was"):
        joined(before, new)


@pytest.mark.parametrize(
    ("goal", "reached"),
    [
        (None, None),
        (Goal(of="ratio", at_least=0.5), True),
        (Goal(of="ratio", at_least=0.6), False),
        (Goal(of="difference", at_most=-4), True),
        (Goal(of="difference", at_most=-6), False),
        (Goal(of="figure", at_most=5), True),
        (Goal(of="figure", at_most=4), False),
    ],
)
def test_a_comparison_takes_its_figures_round_by_round(goal: Goal | None, reached: bool | None) -> None:
    # The machine was slow in the second round, for both.
    found = Comparison(
        benchmark="b", what="w", beside="o", unit="u", ours=[5, 50, 4], other=[10, 100, 9], goal=goal
    )
    assert (found.ratio, found.difference, found.reaches_goal) == (0.5, -5, reached)
