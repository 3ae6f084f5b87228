"""The record that is kept: how many mutants of each module the tests notice."""

from pathlib import Path

from msgspec import Struct, json

RECORD = Path(__file__).with_name("record.json")
#: The share of mutants that tests must notice.
GOAL = 0.95


class Score(Struct, kw_only=True):
    """What became of the mutants of one module."""

    mutants: int
    #: How many of them tests noticed, those included that hung.
    killed: int
    hung: int
    survivors: list[str]


class Record(Struct, kw_only=True):
    """What a run found."""

    modules: dict[str, Score]


def share(*scores: Score) -> float:
    """Return the share of mutants that tests noticed."""
    return sum(score.killed for score in scores) / max(1, sum(score.mutants for score in scores))


def sunk(before: Record, found: Record) -> list[str]:
    """Say which modules have a lower score than in the record, and which of their survivors are new."""
    lines = []
    for module, score in found.modules.items():
        old = before.modules.get(module)
        if old is not None and share(score) < share(old):
            lines.append(f"{module}: {share(score):.1%} is less than {share(old):.1%} in the record")
            lines += [f"  new survivor: {name}" for name in score.survivors if name not in old.survivors]
    return lines


def read_record() -> Record:
    """Read the record; an empty one where there is none yet."""
    if not RECORD.exists():
        return Record(modules={})
    return json.decode(RECORD.read_bytes(), type=Record)


def write_record(record: Record) -> None:
    """Write the record."""
    RECORD.write_bytes(json.format(json.encode(record), indent=1) + b"\n")
