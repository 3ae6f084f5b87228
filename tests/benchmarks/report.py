"""The table that people read, and the record that is kept."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path

from msgspec import Struct, json

from benchmarks.comparisons import Comparison

_ROOT = Path(__file__).resolve().parents[2]
#: What the documentation quotes.
RECORD = Path(__file__).with_name("record.json")
PAGE = _ROOT / "docs/benchmarks.md"
_BEGIN, _END = "<!-- figures: from here -->\n", "<!-- figures: to here -->\n"
_PACKAGES = (
    "simplestack-core",
    "falcon",
    "gunicorn",
    "pluggy",
    "msgspec",
    "simplestack-kvm",
    "libvirt-python",
    "simplestack-xen",
    "XenAPI",
    "simplestack-vmware",
    "pyvmomi",
)
_HEADINGS = ("", "ours", "beside", "", "unit", "ratio", "goal")


class Record(Struct, kw_only=True):
    """All that one run found, or several on one machine."""

    #: When each benchmark ran.
    times: dict[str, datetime]
    #: Whether it was a short run, whose figures say little.
    quick: bool
    machine: dict[str, str]
    comparisons: list[Comparison]


def make_record(comparisons: Iterable[Comparison], *, quick: bool) -> Record:
    """Return the record of a run on this machine."""
    found = list(comparisons)
    now = datetime.now(UTC).replace(microsecond=0)
    return Record(
        times=dict.fromkeys((each.benchmark for each in found), now),
        quick=quick,
        machine=_machine(),
        comparisons=found,
    )


def joined(before: Record, new: Record) -> Record:
    """Return a record with the benchmarks of a newer one in place of its own.

    :raises ValueError: they were not made on the same machine, with the same versions
    """
    for name, value in new.machine.items():
        if before.machine.get(name, value) != value:
            raise ValueError(f"{name} was {before.machine[name]} and is {value}: record all benchmarks")
    kept = [each for each in before.comparisons if each.benchmark not in new.times]
    return Record(
        times=before.times | new.times,
        quick=before.quick or new.quick,
        machine=before.machine | new.machine,
        comparisons=kept + new.comparisons,
    )


def write_record(record: Record, path: Path) -> None:
    """Write a record as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.format(json.encode(record), indent=1) + b"\n")


def read_record(path: Path) -> Record:
    """Read one that was kept."""
    return json.decode(path.read_bytes(), type=Record)


def publish(record: Record) -> None:
    """Put the figures of a record into the documentation."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}{published(record)}{_END}{after}")


def published(record: Record) -> str:
    """Return what the documentation says of a record."""
    machine = ", ".join(f"{name} {value}" for name, value in record.machine.items())
    return f"\nMeasured with: {machine}.\n\n{tables(record)}\n"


def quoted() -> str:
    """Return the figures that the documentation shows."""
    return PAGE.read_text().partition(_BEGIN)[2].partition(_END)[0]


def tables(record: Record) -> str:
    """Return the figures as Markdown, a table for each benchmark."""
    parts = []
    for benchmark, comparisons in groupby(record.comparisons, key=lambda found: found.benchmark):
        rows = [_HEADINGS, tuple("-" for _ in _HEADINGS), *(_row(found) for found in comparisons)]
        parts.append(f"**{benchmark}**, {record.times[benchmark]:%Y-%m-%d}\n\n{aligned(rows)}\n")
    return "\n".join(parts)


def _row(found: Comparison) -> tuple[str, ...]:
    ours, other = found.medians
    goal = "" if found.goal is None else f"{found.goal} {'✓' if found.reaches_goal else '✗'}"
    return found.what, short(ours), found.beside, short(other), found.unit, f"{found.ratio:.2f}", goal


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows as a Markdown table; the second is the line below the headings."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        fill = "-" if row[1] == "-" else " "
        cells = (cell.ljust(width, fill) for cell, width in zip(row, widths, strict=True))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def short(figure: float) -> str:
    """Three figures are more than the machine's mood allows."""
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def _machine() -> dict[str, str]:
    found = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
