"""The report of a run, for people."""

from collections.abc import Iterable, Sequence

from benchmarks.report import aligned, short, tables
from benchmarks.soak.findings import GuestsLeft
from benchmarks.soak.report import Report
from benchmarks.soak.summary import UNTOUCHED, Span, Wrong
from benchmarks.soak.watching import Look, ProcessUse

#: Of responses that were wrong; the JSON has all.
_SHOWN_WRONGS = 20


def markdown(report: Report) -> str:
    """Return a report for people."""
    options, generator = report.options, report.generator
    machine = ", ".join(f"{name} {value}" for name, value in report.record.machine.items())
    head = (
        f"# {options.scenario}\n\n{options.seconds:g} s at {options.rate:g} requests/s, seed {options.seed}. "
        f"Measured with: {machine}.\n\nThe generator took {generator.share_of_a_core:.0%} of a core. It sent "
        f"99 % of the requests within {generator.lateness_p99_ms:.0f} ms after they were due, the latest "
        f"{generator.lateness_max_ms:.0f} ms after.\n"
    )
    sections = (
        ("Bars", _bars(report)),
        ("Hypervisors that no fault touches, by phase", _spans("phase", report.phases)),
        ("Hypervisors that no fault touches, by minute", _spans("minute", report.minutes)),
        ("Requests without a response", _unanswered(report.phases)),
        ("Statuses", _statuses(report)),
        ("Wrong responses", _wrongs(report.wrong)),
        ("Memory, threads, descriptors", _uses(report.looks)),
        ("Sessions and tasks at the pools", _pools(report)),
        ("Guests left", _guests(report.guests_left)),
        ("Slow clients, hanging calls, and the end", _rest(report)),
    )
    return "\n".join([head, *(f"## {title}\n\n{text}" for title, text in sections)])


def _bars(report: Report) -> str:
    """Show the faults beside quiet phases, and the absolute bounds."""
    compared = tables(report.record) or "None of the faults that have a bar was in this run.\n"
    rows = [[bar.what, bar.found, f"{bar.bound} {'✓' if bar.is_reached else '✗'}"] for bar in report.bars]
    return f"{compared}\n{_table(['', 'found', 'bar'], rows)}"


def _spans(what: str, spans: Sequence[Span]) -> str:
    headings = [what, "s"]
    for target in UNTOUCHED:
        headings += [f"{target}: successes/s", "p50 ms", "p99 ms"]
    rows = []
    for span in spans:
        row = [span.name, f"{span.seconds:.0f}"]
        for target in UNTOUCHED:
            figures = span.targets[target]
            row += [short(figures.rate), _milliseconds(figures.p50), _milliseconds(figures.p99)]
        rows.append(row)
    return _table(headings, rows)


def _unanswered(spans: Sequence[Span]) -> str:
    rows = [
        [
            span.name,
            target,
            str(figures.sent),
            str(sum(figures.unanswered.values())),
            _counts(figures.unanswered),
        ]
        for span in spans
        for target, figures in span.targets.items()
        if figures.unanswered
    ]
    if not rows:
        return "None.\n"
    return _table(["phase", "hypervisor", "requests", "unanswered", "why"], rows)


def _statuses(report: Report) -> str:
    rows = [
        [target, status, str(count)]
        for target, counts in report.statuses.items()
        for status, count in counts.items()
    ]
    return _table(["hypervisor", "status", "responses"], rows)


def _wrongs(found: Sequence[Wrong]) -> str:
    if not found:
        return "None.\n"
    rows = [
        [f"{each.seconds:.1f}", each.phase, each.target, each.operation, each.what]
        for each in found[:_SHOWN_WRONGS]
    ]
    more = f"\n{len(found)} in all.\n" if len(found) > _SHOWN_WRONGS else ""
    return _table(["s", "phase", "hypervisor", "operation", "what is wrong"], rows) + more


def _uses(looks: Sequence[Look]) -> str:
    moments = {"start": looks[0], "middle": looks[len(looks) // 2], "end": looks[-1]}
    rows = [
        [name, f"{look.seconds:.0f}", *_use(process)]
        for name, look in moments.items()
        for process in look.processes
    ]
    return _table(["", "s", "process", "RSS MiB", "threads", "descriptors"], rows)


def _use(process: ProcessUse) -> tuple[str, ...]:
    name = f"{process.role} {process.pid}"
    return name, f"{process.rss_mib:.0f}", str(process.threads), str(process.descriptors)


def _pools(report: Report) -> str:
    """Show the most that there was in each phase, and what stays."""
    most: dict[tuple[str, str], tuple[int, int]] = {}
    for look in report.looks:
        for use in look.pools:
            sessions, tasks = most.get((look.phase, use.pool), (0, 0))
            most[look.phase, use.pool] = max(sessions, use.sessions), max(tasks, use.tasks)
    rows = [[phase, pool, str(found[0]), str(found[1]), ""] for (phase, pool), found in most.items()]
    for use in report.pools_left:
        lost = report.lost_sessions.get(use.pool, 0)
        note = f"killed workers had {lost} sessions" if lost else ""
        rows.append(["**when the service has stopped**", use.pool, str(use.sessions), str(use.tasks), note])
    return _table(["phase", "pool", "sessions", "tasks", ""], rows)


def _guests(left: Iterable[GuestsLeft]) -> str:
    rows = [
        [each.target, f"{each.lost}", f"{each.undeleted}", f"{each.unconfirmed}", each.problem]
        for each in left
    ]
    return _table(["hypervisor", "created, and not there", "deleted, and there", "unconfirmed", ""], rows)


def _rest(report: Report) -> str:
    lines = [
        f"Slow clients' connections: {_counts(report.slow_clients) or 'none'}.",
        f"Requests to the plugin that hangs: {_counts(report.hanging_plugin) or 'none'}.",
        f"Workers killed: {report.killed_workers}.",
    ]
    if report.ending is not None:
        ending = report.ending
        how = "had to be killed" if ending.was_killed else "stopped"
        if ending.had_died:
            lines.append("The service died before it was stopped.")
        ended = f"The service {how} after {ending.stop_seconds:.1f} s"
        lines += [
            f"{ended}, and left {ending.processes_left} processes.",
            f"Its log has {ending.log_errors} errors and {ending.log_tracebacks} tracebacks.",
        ]
    return "".join(f"- {line}\n" for line in lines)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return aligned([tuple(headings), tuple("-" for _ in headings), *map(tuple, rows)]) + "\n"


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counted.items())


def _milliseconds(figure: float | None) -> str:
    return "" if figure is None else short(figure)
