"""Figures of what a run has found."""

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import groupby
from typing import NamedTuple

from msgspec import Struct

from benchmarks.comparisons import Comparison, Goal
from benchmarks.soak.findings import Findings
from benchmarks.soak.run import CALM, MOCK
from benchmarks.soak.samples import Phase, Sample, percentile
from benchmarks.soak.schedule import QUIET, SCENARIOS

#: Hypervisors that no fault touches.
UNTOUCHED = (MOCK, CALM)
_MINUTE_SECONDS = 60
_SLOWEST = Goal(of="ratio", at_most=2)
_FEWEST = Goal(of="ratio", at_least=0.9)
#: What a fault may do to a hypervisor that it does not touch; other figures have no goal.
GOALS = {
    ("stopped-pool", MOCK, "p99"): _SLOWEST,
    ("stopped-pool", CALM, "rate"): _FEWEST,
    **{(fault, name, "p99"): _SLOWEST for fault in SCENARIOS[1:] for name in UNTOUCHED},
}


class Figures(Struct, frozen=True, kw_only=True):
    """Requests of one target, of some time."""

    sent: int
    #: Successes that came within that time, in a second.
    rate: float
    #: Of all, in ms; a request without a response counts as one that waited for its time-out. None of none.
    p50: float | None
    p99: float | None
    #: Why requests got no response, and how many.
    unanswered: dict[str, int]


class Span(Struct, frozen=True, kw_only=True):
    """Some time, and what came of the traffic to each target in it."""

    name: str
    seconds: float
    targets: dict[str, Figures]


class Wrong(Struct, frozen=True, kw_only=True):
    """A response that was not what it must be."""

    seconds: float
    phase: str
    target: str
    operation: str
    what: str


def by_phase(findings: Findings) -> list[Span]:
    """Return figures of each phase, in the order of the schedule; its repetitions count as one."""
    named: dict[str, list[Phase]] = defaultdict(list)
    for phase in findings.phases:
        named[phase.name].append(phase)
    return [_span(name, phases, findings) for name, phases in named.items()]


def by_minute(findings: Findings) -> list[Span]:
    """Return figures of each minute."""
    end = findings.phases[-1].end_seconds
    begins = range(0, max(1, int(end)), _MINUTE_SECONDS)
    minutes = [Phase(str(begin // 60 + 1), 0, begin, min(begin + 60, end)) for begin in begins]
    return [
        _figured(
            minute.name,
            [minute],
            [
                each
                for each in findings.samples
                if minute.begin_seconds <= each.due_seconds < minute.end_seconds
            ],
            findings,
        )
        for minute in minutes
    ]


def by_operation(findings: Findings) -> dict[str, dict[str, Figures]]:
    """Return figures of each operation of each target, of the whole run."""
    whole = [Phase("all", 0, 0, findings.phases[-1].end_seconds)]
    found: dict[str, dict[str, Figures]] = {}
    order = sorted(findings.samples, key=_target_and_operation)
    for (target, operation), samples in groupby(order, key=_target_and_operation):
        found.setdefault(target, {})[operation] = _figures(list(samples), whole, findings)
    return found


def statuses(findings: Findings) -> dict[str, dict[str, int]]:
    """Return how often each target's requests got each status, with the names of errors."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for found in findings.samples:
        if found.status is not None:
            counts[found.target][_status_name(found)] += 1
    return {target: dict(sorted(counter.items())) for target, counter in counts.items()}


def wrongs(findings: Findings) -> list[Wrong]:
    """Return the responses that were not what they must be."""
    return [
        Wrong(
            seconds=found.due_seconds,
            phase=findings.phases[found.phase].name,
            target=found.target,
            operation=found.operation,
            what=found.wrong,
        )
        for found in findings.samples
        if found.wrong
    ]


class Pairs(NamedTuple):
    """One figure of a hypervisor during a fault, beside that of quiet phases, by round. None: no requests."""

    fault: str
    target: str
    what: str
    unit: str
    figures: list[tuple[float | None, float | None]]


def beside_quiet(findings: Findings) -> list[Pairs]:
    """Return what each fault does to the hypervisors that it does not touch."""
    found = []
    for fault in SCENARIOS:
        rounds = sorted({phase.round for phase in findings.phases if phase.name == fault})
        spans = [
            (_of_round(fault, number, findings), _of_round(QUIET, number, findings)) for number in rounds
        ]
        for target in UNTOUCHED if rounds else ():
            for what, unit, figure in _KINDS:
                figures = [
                    (figure(during.targets[target]), figure(quiet.targets[target])) for during, quiet in spans
                ]
                found.append(Pairs(fault, target, what, unit, figures))
    return found


def comparisons(findings: Findings, benchmark: str) -> list[Comparison]:
    """Return the same as comparisons, without rounds in which there is nothing to compare with."""
    made = []
    for fault, target, what, unit, figures in beside_quiet(findings):
        kept = [(ours, other) for ours, other in figures if ours is not None and other]
        if kept:
            made.append(
                Comparison(
                    benchmark=benchmark,
                    what=f"{fault}: {target}, {what}",
                    beside=QUIET,
                    unit=unit,
                    ours=[ours for ours, _ in kept],
                    other=[other for _, other in kept],
                    goal=GOALS.get((fault, target, what)),
                )
            )
    return made


_KINDS: tuple[tuple[str, str, Callable[[Figures], float | None]], ...] = (
    ("p99", "ms", lambda figures: figures.p99),
    ("rate", "successes/s", lambda figures: figures.rate),
)


def _of_round(name: str, number: int, findings: Findings) -> Span:
    phases = [phase for phase in findings.phases if (phase.name, phase.round) == (name, number)]
    return _span(name, phases, findings)


def _span(name: str, phases: list[Phase], findings: Findings) -> Span:
    numbers = {findings.phases.index(phase) for phase in phases}
    return _figured(name, phases, [found for found in findings.samples if found.phase in numbers], findings)


def _figured(name: str, phases: list[Phase], samples: list[Sample], findings: Findings) -> Span:
    targets: dict[str, list[Sample]] = {target: [] for target in findings.targets}
    for found in samples:
        targets[found.target].append(found)
    return Span(
        name=name,
        seconds=sum(phase.seconds for phase in phases),
        targets={target: _figures(some, phases, findings) for target, some in targets.items()},
    )


def _figures(samples: list[Sample], phases: list[Phase], findings: Findings) -> Figures:
    waits = [
        1000 * findings.timeout_seconds if found.is_unanswered else found.latency_ms for found in samples
    ]
    in_time = sum(
        any(phase.begin_seconds <= found.end_seconds < phase.end_seconds for phase in phases)
        for found in samples
        if found.is_success
    )
    return Figures(
        sent=len(samples),
        rate=in_time / sum(phase.seconds for phase in phases),
        p50=percentile(waits, 50),
        p99=percentile(waits, 99),
        unanswered=dict(Counter(found.reason for found in samples if found.is_unanswered).most_common()),
    )


def _status_name(found: Sample) -> str:
    if found.is_success and found.status == 404:
        return "404 of what was deleted"
    return f"{found.status} {found.reason}".rstrip()


def _target_and_operation(found: Sample) -> tuple[str, str]:
    return found.target, found.operation
