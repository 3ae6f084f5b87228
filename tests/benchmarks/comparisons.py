"""What a benchmark finds: two things that took turns in one run, and how they compare."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct


class Goal(Struct, frozen=True, kw_only=True):
    """What a comparison shall show."""

    #: Ours by the other's, ours less the other's, or ours alone.
    of: Literal["ratio", "difference", "figure"]
    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        bound = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        return bound if self.of == "ratio" else f"{self.of} {bound}"


class Comparison(Struct, frozen=True, kw_only=True):
    """One figure of ours beside one of another thing's, round by round."""

    benchmark: str
    what: str
    #: What ours stands beside.
    beside: str
    unit: str
    ours: list[float]
    other: list[float]
    goal: Goal | None = None

    @property
    def medians(self) -> tuple[float, float]:
        """Ours, and the other's."""
        return statistics.median(self.ours), statistics.median(self.other)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: what disturbs a round disturbs both in it."""
        return statistics.median(ours / other for ours, other in self._pairs())

    @property
    def difference(self) -> float:
        """The median of the rounds' differences, in the unit."""
        return statistics.median(ours - other for ours, other in self._pairs())

    @property
    def reaches_goal(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        figures = {"ratio": self.ratio, "difference": self.difference, "figure": self.medians[0]}
        found = figures[self.goal.of]
        low, high = self.goal.at_least, self.goal.at_most
        return (low is None or found >= low) and (high is None or found <= high)

    def _pairs(self) -> list[tuple[float, float]]:
        return list(zip(self.ours, self.other, strict=True))


def milliseconds(call: Callable[[], object], count: int = 1) -> Callable[[], float]:
    """Return what says how many milliseconds a call takes, of so many one after the other."""

    def measured() -> float:
        started = time.perf_counter()
        for _ in range(count):
            call()
        return 1000 * (time.perf_counter() - started) / count

    return measured


def take_turns(rounds: int, subjects: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure each subject once a round, in turn, so that what else the machine does falls on all.

    A first round, which nobody counts, warms caches.
    """
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds + 1):
        for name, measure in subjects.items():
            figure = measure()
            if number > 0:
                found[name].append(figure)
    return found
