"""All figures of a run: what is kept as JSON."""

from msgspec import Struct

from benchmarks.report import Record, make_record
from benchmarks.soak.bars import Bar, bars
from benchmarks.soak.findings import Ending, Findings, GuestsLeft
from benchmarks.soak.samples import percentile
from benchmarks.soak.summary import (
    Figures,
    Span,
    Wrong,
    by_minute,
    by_operation,
    by_phase,
    comparisons,
    statuses,
    wrongs,
)
from benchmarks.soak.watching import Look, PoolUse


class Options(Struct, frozen=True, kw_only=True):
    """What was run."""

    scenario: str
    seconds: float
    rate: float
    seed: int


class Generator(Struct, frozen=True, kw_only=True):
    """What the generator itself cost, and how late it was: its own delays are in all figures."""

    share_of_a_core: float
    lateness_p99_ms: float
    lateness_max_ms: float


class Report(Struct, kw_only=True):
    """All figures of a run."""

    options: Options
    record: Record
    bars: list[Bar]
    phases: list[Span]
    minutes: list[Span]
    operations: dict[str, dict[str, Figures]]
    statuses: dict[str, dict[str, int]]
    wrong: list[Wrong]
    looks: list[Look]
    guests_left: list[GuestsLeft]
    pools_left: list[PoolUse]
    #: By pool: sessions of workers that were killed, which nobody can log out.
    lost_sessions: dict[str, int]
    killed_workers: int
    slow_clients: dict[str, int]
    hanging_plugin: dict[str, int]
    ending: Ending | None
    generator: Generator


def missed(report: Report) -> list[str]:
    """Return the bars that were not reached."""
    compared = [found.what for found in report.record.comparisons if found.reaches_goal is False]
    return compared + [bar.what for bar in report.bars if not bar.is_reached]


def make_report(options: Options, findings: Findings) -> Report:
    """Make figures of what a run has found."""
    compared = comparisons(findings, options.scenario)
    return Report(
        options=options,
        record=make_record(compared, quick=False),
        bars=bars(findings),
        phases=by_phase(findings),
        minutes=by_minute(findings),
        operations=by_operation(findings),
        statuses=statuses(findings),
        wrong=wrongs(findings),
        looks=findings.looks,
        guests_left=findings.guests_left,
        pools_left=findings.pools_left,
        lost_sessions=findings.lost_connections,
        killed_workers=findings.killed_workers,
        slow_clients=dict(findings.slow_clients),
        hanging_plugin=dict(findings.hanging_plugin),
        ending=findings.ending,
        generator=Generator(
            share_of_a_core=findings.generator_share,
            lateness_p99_ms=percentile(findings.lateness_ms, 99) or 0,
            lateness_max_ms=max(findings.lateness_ms, default=0),
        ),
    )
