"""Lists of guests of a simulated vCenter through the service, beside ``RetrievePropertiesEx`` by pyvmomi.

Both read the same properties in pages of the same size. Ours also returns them as JSON. Each VM has two
disks. Then what such lists do to others who ask the service for something small.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
from pyVmomi import vim

from benchmarks.comparisons import Comparison, Goal, take_turns
from benchmarks.lists import Sdk, make_list, running_sdk, waits
from benchmarks.scale import Scale
from benchmarks.transfers import forget_peak, peak_mib
from benchmarks.vsphere import Host, vcsim, vsphere
from simplestack import GIB
from simplestack_vmware.vsphere.disks.changes import added_disk
from simplestack_vmware.vsphere.disks.units import free_place
from simplestack_vmware.vsphere.inventory.devices import disks
from simplestack_vmware.vsphere.inventory.records import VmHardware
from simplestack_vmware.vsphere.inventory.walks import TO_VMS
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from support.service import Service, running_service, token
from support.vsphere import PASSWORD

_BESIDE = "pyvmomi's RetrievePropertiesEx"
_SDK = """
import sys
from pathlib import Path
from benchmarks.vsphere import Host
from benchmarks.vsphere_reads import list_by_sdk
content = Host(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]).by_sdk()
def make_list():
    return list_by_sdk(content)
"""
#: What the ratio is at 1,000 guests.
_MOST = {"SOAP": 0.15, "VI-JSON": 0.05, "vcsim, SOAP": 0.2}
_MOST_GUESTS = 1_000
_MOST_MS = 300
_MOST_MIB = 40
#: Of each VM.
_DISKS = 2
_ADDED_SECONDS = 60


@dataclass(frozen=True)
class _Subject:
    """A service with one worker, and the host whose guests it lists."""

    host: Host
    service: Service

    @property
    def worker(self) -> int:
        """The worker's process ID."""
        pid: int = psutil.Process(self.service.process.pid).children()[0].pid
        return pid

    def milliseconds(self) -> float:
        """List all guests."""
        return _lists(self.host)(self.service)


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare lists by either wire, and look at memory and at others' waits."""
    for vms in scale.vms:
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            hosts = {
                wire: stack.enter_context(vsphere(Path(name, wire), "--vms", str(vms), *options))
                for wire, options in (("SOAP", ("--no-json",)), ("VI-JSON", ()))
            }
            yield from _compare(hosts, Path(name), vms, scale)
            for wire, host in hosts.items():
                what, folder = f"{vms:,} guests, {wire}", Path(name, f"{wire}-shared")
                yield waits(
                    "vmware-lists", what, config=host.toml, folder=folder, make=_lists(host), scale=scale
                )
    with tempfile.TemporaryDirectory() as name, vcsim(Path(name), scale.vms[0]) as host:
        _add_disks(host)
        yield from _compare({"vcsim, SOAP": host}, Path(name), scale.vms[0], scale)


def _compare(hosts: dict[str, Host], folder: Path, vms: int, scale: Scale) -> Iterator[Comparison]:
    with ExitStack() as stack:
        subjects = {}
        for wire, host in hosts.items():
            config = f"{host.toml}[server]\nworkers = 1\n"
            service = stack.enter_context(running_service(folder / f"{wire}-service", config))
            subjects[wire] = _Subject(host, service)
            service.get(f"/vmware/{host.place}", headers=_header(host))  # so that it has logged in
        any_host = next(iter(hosts.values()))
        sdk = stack.enter_context(running_sdk(_SDK, any_host.port, any_host.ca_file, any_host.user))
        pids = {wire: subject.worker for wire, subject in subjects.items()} | {"sdk": sdk.pid}
        before = {}
        for name, pid in pids.items():
            forget_peak(pid)
            before[name] = peak_mib(pid)
        found = take_turns(scale.rounds, _ways(subjects, sdk))
        growth = {name: peak_mib(pid) - before[name] for name, pid in pids.items()}
    for wire in subjects:
        what = f"GET of {vms:,} guests, {wire}"
        is_measure = vms == _MOST_GUESTS
        goals = [Goal(of="ratio", at_most=_MOST[wire]), Goal(of="figure", at_most=_MOST_MS)]
        for goal in goals if is_measure else [None]:
            yield _comparison(what, "ms", found[wire], found["sdk"], goal)
        goal = Goal(of="figure", at_most=_MOST_MIB) if "SOAP" in wire else None
        what = f"{what}: growth of peak memory"
        yield _comparison(what, "MiB", [growth[wire]], [growth["sdk"]], goal)


def _ways(subjects: dict[str, _Subject], sdk: Sdk) -> dict[str, Callable[[], float]]:
    return {wire: subject.milliseconds for wire, subject in subjects.items()} | {"sdk": sdk.milliseconds}


def _lists(host: Host) -> Callable[[Service], float]:
    return lambda service: make_list(service, f"/vmware/{host.place}", _header(host))


def _header(host: Host) -> dict[str, str]:
    return {"X-Simplestack-Hypervisor-Token": token(host.user, PASSWORD)}


def _comparison(what: str, unit: str, ours: list[float], other: list[float], goal: Goal | None) -> Comparison:
    return Comparison(
        benchmark="vmware-lists", what=what, beside=_BESIDE, unit=unit, ours=ours, other=other, goal=goal
    )


def _add_disks(host: Host) -> None:
    """Add a disk to each VM. vcsim's tasks are quick, but to wait for each is not."""
    with host.session() as session:
        for vm in _vms(session):
            changes = added_disk(free_place(vm.devices), GIB, None)
            session.vm(vm).ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=changes))
        deadline = time.monotonic() + _ADDED_SECONDS
        while any(len(disks(vm.devices)) < _DISKS for vm in _vms(session)):
            if time.monotonic() > deadline:
                raise SystemExit("vcsim did not add the disks")


def _vms(session: VmwareSession) -> list[VmHardware]:
    records = session.reader.read(Query([session.root], [VmHardware], TO_VMS))
    return [record for record in records if isinstance(record, VmHardware)]
