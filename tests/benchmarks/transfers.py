"""What benchmarks of exports and imports share: rates in MB/s, and the most memory of the only worker."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.comparisons import Comparison, Goal
from support.service import Service

_MIB = 1024 * 1024


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has had at once: VmHWM of proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (found,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found) * 1024 / _MIB


def forget_peak(pid: int) -> None:
    """Have a process's peak be what it has now: the check of a password took more than a transfer may."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class Worker:
    """The only worker of a service, whose memory is looked at."""

    def __init__(self, service: Service) -> None:
        """Find the worker, after its start."""
        self._pid: int = psutil.Process(service.process.pid).children()[0].pid
        self._before_mib = peak_mib(self._pid)

    def begin_anew(self) -> None:
        """Forget the peak so far."""
        forget_peak(self._pid)
        self._before_mib = peak_mib(self._pid)

    def memory(self, benchmark: str, after: str, *, most_mib: float) -> Comparison:
        """Compare the peak so far with that before.

        :param after: what the worker has done: ``exports``
        """
        return Comparison(
            benchmark=benchmark,
            what=f"the worker's peak memory after {after}",
            beside="before the first of them",
            unit="MiB",
            ours=[peak_mib(self._pid)],
            other=[self._before_mib],
            goal=Goal(of="difference", at_most=most_mib),
        )


def rates(
    benchmark: str, what: str, beside: str, found: Mapping[str, Sequence[float]], *, least: float
) -> Comparison:
    """Compare rates in MB/s.

    :param what: ``export of 2 GiB``
    :param found: the rates of ``ours``, and of what it stands beside
    :param least: the goal of the ratio
    """
    (other,) = (figures for name, figures in found.items() if name != "ours")
    return Comparison(
        benchmark=benchmark,
        what=what,
        beside=beside,
        unit="MB/s",
        ours=list(found["ours"]),
        other=list(other),
        goal=Goal(of="ratio", at_least=least),
    )
