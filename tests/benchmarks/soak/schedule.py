"""What happens when: phases with one fault each, and quiet ones between them."""

from typing import NamedTuple

WARM_UP = "warm-up"
QUIET = "quiet"
#: How long the schedule is, once. A run repeats it as often as it fits, and stretches it to fit.
ROUND_SECONDS = 200


class Planned(NamedTuple):
    """A phase to come."""

    name: str
    #: In which repetition of the schedule; the first is number 1.
    round: int
    seconds: float


_ROUND = (
    (QUIET, 20),
    (
        "killed-pool",
        15,
    ),  # before what may leave guests, tasks and sessions there: it has none when it restarts
    ("dropped-connections", 12),
    ("hangs", 12),
    ("error-codes", 12),
    (QUIET, 11),
    ("stopped-pool", 15),
    ("killed-workers", 10),
    ("reload", 10),
    (QUIET, 11),
    ("slow-clients", 15),
    ("slow-readers", 12),
)
#: Faults that replace workers. In the second half of a run of several rounds they are left out, so that
#: growth of a worker's memory can show.
_REPLACING = ("killed-workers", "reload")
#: Between a fault and the next phase, so that the fault's after-effects do not count there.
_AFTER_SECONDS = 5
_WARM_UP_SECONDS = 5
#: Faults that can have a short run of their own: the untouched hypervisors should not notice them.
SCENARIOS = ("stopped-pool", "slow-clients", "slow-readers", "hanging-plugin")
SCENARIO_SECONDS = 60


def soak(seconds: float) -> list[Planned]:
    """Return the phases of a run with every fault but ``hanging-plugin``, which is a scenario alone."""
    rounds = max(1, round(seconds / ROUND_SECONDS))
    scale = seconds / rounds / sum(length for _, length in _phases(1, rounds))
    repeated = [
        Planned(name, number, scale * length)
        for number in range(1, rounds + 1)
        for name, length in _phases(number, rounds)
    ]
    return [Planned(WARM_UP, 0, scale * _WARM_UP_SECONDS), *repeated]


def _phases(number: int, rounds: int) -> list[tuple[str, float]]:
    """Return one repetition of the schedule. All take the same time."""
    phases: list[tuple[str, float]] = []
    for name, length in _ROUND:
        if name == QUIET:
            phases.append((QUIET, length))
        elif name in _REPLACING and number > (rounds + 1) // 2:
            phases.append((QUIET, length + _AFTER_SECONDS))
        else:
            phases += [(name, length), (f"after {name}", _AFTER_SECONDS)]
    return phases


def scenario(fault: str, seconds: float) -> list[Planned]:
    """Return the phases of a run with one fault."""
    phases = ((WARM_UP, _WARM_UP_SECONDS), (QUIET, 20), (fault, 20), (f"after {fault}", 15))
    scale = seconds / sum(length for _, length in phases)
    return [Planned(name, 1, scale * length) for name, length in phases]
