"""All that a run finds, as it was found: `summary` makes figures of it."""

from collections import Counter
from dataclasses import dataclass, field

import psutil
from msgspec import Struct

from benchmarks.soak.samples import Phase, Sample
from benchmarks.soak.watching import Look, PoolUse


class GuestsLeft(Struct, frozen=True, kw_only=True):
    """What one hypervisor has of the guests of the traffic, when that has ended."""

    target: str
    #: Created, as the service confirmed, and not there.
    lost: int
    #: Deleted, as the service confirmed, and there.
    undeleted: int
    #: There, though the service confirmed neither their creation nor their deletion.
    unconfirmed: int
    #: Why they could not be listed.
    problem: str = ""


class Ending(Struct, frozen=True, kw_only=True):
    """How the service ended."""

    #: Whether it had died before anybody stopped it.
    had_died: bool
    stop_seconds: float
    #: Whether it had to be killed.
    was_killed: bool
    #: Its processes that were there afterwards.
    processes_left: int
    log_errors: int
    log_tracebacks: int


@dataclass
class Findings:
    """All that a run finds."""

    #: The names of the hypervisors.
    targets: tuple[str, ...]
    timeout_seconds: float
    phases: list[Phase] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    guests_left: list[GuestsLeft] = field(default_factory=list)
    pools_left: list[PoolUse] = field(default_factory=list)
    #: All processes of the service that were seen, but the first.
    workers: set[psutil.Process] = field(default_factory=set)
    ending: Ending | None = None
    killed_workers: int = 0
    #: By pool: connections of killed workers.
    lost_connections: dict[str, int] = field(default_factory=dict)
    slow_clients: Counter[str] = field(default_factory=Counter)
    hanging_plugin: Counter[str] = field(default_factory=Counter)
    lateness_ms: list[float] = field(default_factory=list)
    #: Of one core, what this process took.
    generator_share: float = 0
