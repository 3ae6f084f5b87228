"""What became of each request, and figures of many."""

import math
from collections.abc import Iterable
from typing import NamedTuple


class Sample(NamedTuple):
    """What became of one request."""

    #: Since traffic began.
    due_seconds: float
    target: str
    operation: str
    #: The phase in which it was sent, by its position in the run.
    phase: int
    #: From when it was due: what the generator is late counts, too.
    latency_ms: float = 0
    #: The status of its response; None where there was none.
    status: int | None = None
    #: Whether that is the status of a success.
    is_success: bool = False
    #: Why there was no response, or the name of the error in it.
    reason: str = ""
    #: What is wrong with a response: a success without its effect, or a body that is not what it must be.
    wrong: str = ""

    @property
    def is_unanswered(self) -> bool:
        """Whether there was no response."""
        return self.status is None

    @property
    def end_seconds(self) -> float:
        """When its response had come, since traffic began."""
        return self.due_seconds + self.latency_ms / 1000


class Phase(NamedTuple):
    """A part of the run, with one fault or none."""

    name: str
    #: The schedule is repeated; the first time has number 1.
    round: int
    begin_seconds: float
    end_seconds: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end_seconds - self.begin_seconds


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Return the value that so many percent of the values do not exceed (nearest rank); None of none."""
    found = sorted(values)
    return found[max(0, math.ceil(percent / 100 * len(found)) - 1)] if found else None
