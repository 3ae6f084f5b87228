"""What every run must reach, besides the comparisons that have a goal: absolute bounds."""

from collections.abc import Iterator

from msgspec import Struct

from benchmarks.report import short
from benchmarks.soak.findings import Findings, GuestsLeft
from benchmarks.soak.samples import percentile
from benchmarks.soak.schedule import QUIET
from benchmarks.soak.summary import GOALS, UNTOUCHED, beside_quiet, wrongs

#: Of the requests of a quiet phase to a hypervisor that no fault touches.
_LEAST_SUCCESSES_PERCENT = 99.5
_QUIET_P99_MS = 500


class Bar(Struct, frozen=True, kw_only=True):
    """One bound, and what was found."""

    what: str
    found: str
    bound: str
    is_reached: bool


def bars(findings: Findings) -> list[Bar]:
    """Return all absolute bounds of a run."""
    return [
        *_quiet(findings),
        *_missing_figures(findings),
        _none("wrong responses", len(wrongs(findings))),
        *(bar for left in findings.guests_left for bar in _guests(left)),
        *_sessions(findings),
        *_ending(findings),
    ]


def _none(what: str, found: int) -> Bar:
    return Bar(what=what, found=str(found), bound="0", is_reached=found == 0)


def _quiet(findings: Findings) -> Iterator[Bar]:
    """Yield bounds on quiet phases: ratios to these would not show that all phases are bad."""
    for target in UNTOUCHED:
        samples = [
            sample
            for sample in findings.samples
            if sample.target == target and findings.phases[sample.phase].name == QUIET
        ]
        share = 100 * sum(sample.is_success for sample in samples) / max(1, len(samples))
        yield Bar(
            what=f"{QUIET}: {target}, successes",
            found=f"{share:.2f} %",
            bound=f"≥ {_LEAST_SUCCESSES_PERCENT:g} %",
            is_reached=share >= _LEAST_SUCCESSES_PERCENT,
        )
        p99 = percentile((sample.latency_ms for sample in samples if not sample.is_unanswered), 99)
        yield Bar(
            what=f"{QUIET}: {target}, p99",
            found="none" if p99 is None else f"{short(p99)} ms",
            bound=f"≤ {_QUIET_P99_MS} ms",
            is_reached=p99 is not None and p99 <= _QUIET_P99_MS,
        )


def _missing_figures(findings: Findings) -> Iterator[Bar]:
    """Yield a missed bar for each goal that has a round with nothing to compare: nothing may have worked."""
    for fault, target, what, _, figures in beside_quiet(findings):
        missing = sum(ours is None or not other for ours, other in figures)
        if missing and (fault, target, what) in GOALS:
            yield _none(f"{fault}: {target}, rounds without {what}", missing)


def _guests(left: GuestsLeft) -> Iterator[Bar]:
    if left.problem:
        yield Bar(what=f"{left.target}: guests", found=left.problem, bound="a list", is_reached=False)
        return
    yield _none(f"{left.target}: guests that were created, and are not there", left.lost)
    yield _none(f"{left.target}: guests that were deleted, and are there", left.undeleted)


def _sessions(findings: Findings) -> Iterator[Bar]:
    uses = {use.pool: use for use in findings.pools_left}
    for pool, lost in findings.lost_connections.items():
        use = uses.get(pool)
        yield Bar(
            what=f"{pool}: sessions when the service has stopped",
            found="unknown" if use is None else str(use.sessions),
            bound=f"≤ {lost}, those of killed workers",
            is_reached=use is not None and use.sessions <= lost,
        )


def _ending(findings: Findings) -> Iterator[Bar]:
    ending = findings.ending
    had_died = ending is None or ending.had_died
    yield Bar(
        what="the service ran to the end",
        found="no" if had_died else "yes",
        bound="yes",
        is_reached=not had_died,
    )
    if ending is not None:
        ended = "killed" if ending.was_killed else "by itself"
        yield Bar(
            what="the service stopped", found=ended, bound="by itself", is_reached=not ending.was_killed
        )
        yield _none("processes left", ending.processes_left)
