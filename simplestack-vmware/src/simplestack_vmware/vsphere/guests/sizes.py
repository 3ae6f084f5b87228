"""How much memory and how many processors a guest has. A guest that runs only gets more of them."""

from msgspec import field

from simplestack import GuestState, InvalidArguments, InvalidState
from simplestack_vmware.vsphere.connection.versions import is_at_least
from simplestack_vmware.vsphere.inventory.records import VmDevices
from simplestack_vmware.vsphere.sessions.session import VmwareSession

#: vSphere's memory sizes are multiples of this.
_MEMORY_STEP_MIB = 4
#: The version of the API with which `SelfSizedVm.chooses_cores` came.
_CHOOSES_CORES_SINCE = "8.0.0.1"


class SizedVm(VmDevices, frozen=True, kw_only=True):
    """A VM with its memory, its processors, and whether they can grow while it runs."""

    memory_mib: int = field(name="config.hardware.memoryMB", default=0)
    cpus: int = field(name="config.hardware.numCPU", default=0)
    cores_per_socket: int = field(name="config.hardware.numCoresPerSocket", default=1)
    has_memory_hot_add: bool = field(name="config.memoryHotAddEnabled", default=False)
    has_cpu_hot_add: bool = field(name="config.cpuHotAddEnabled", default=False)
    #: The most memory while it runs, and the unit in which it grows then.
    hot_memory_limit_mib: int | None = field(name="config.hotPlugMemoryLimit", default=None)
    hot_memory_step_mib: int | None = field(name="config.hotPlugMemoryIncrementSize", default=None)

    @property
    def chooses_cores(self) -> bool:
        """Whether vSphere chooses the cores per socket when the VM starts."""
        return False


class SelfSizedVm(SizedVm, frozen=True, kw_only=True):
    """The same, of a host that may choose the cores per socket."""

    has_automatic_cores: bool = field(name="config.hardware.autoCoresPerSocket", default=False)

    @property
    def chooses_cores(self) -> bool:
        """Whether vSphere chooses the cores per socket when the VM starts."""
        return self.has_automatic_cores


def sized_kind(session: VmwareSession) -> type[SizedVm]:
    """Return the record of sizes that a host's version of the API has."""
    return SelfSizedVm if is_at_least(session.api.stub.version, _CHOOSES_CORES_SINCE) else SizedVm


def check_memory(memory_mib: int) -> None:
    """Check that vSphere has a size of memory.

    :raises InvalidArguments: it has not
    """
    if memory_mib % _MEMORY_STEP_MIB:
        raise InvalidArguments(
            f"`memory`: {memory_mib} MiB is not a multiple of {_MEMORY_STEP_MIB} MiB, as vSphere needs: use "
            f"{memory_mib - memory_mib % _MEMORY_STEP_MIB + _MEMORY_STEP_MIB}"
        )


def check_cpus(vm: SizedVm, cpus: int) -> None:
    """Check that a number of processors fits the sockets of a VM, or of the VM that it is a copy of.

    :raises InvalidArguments: it does not
    """
    cores = vm.cores_per_socket
    if cores > 1 and cpus % cores and not vm.chooses_cores:
        raise InvalidArguments(
            f"`cpus`: {cpus} is not a multiple of {cores}, the cores in each socket of the guest: use "
            f"{cpus - cpus % cores + cores}"
        )


def memory_change(vm: SizedVm, memory_mib: int) -> dict[str, int]:
    """Return the fields of the ``ConfigSpec`` that change a VM's memory; none if it has this much.

    :raises InvalidArguments: vSphere has no such size
    :raises InvalidState: the VM must be stopped for this
    """
    if memory_mib == vm.memory_mib:
        return {}
    check_memory(memory_mib)
    limit, step = vm.hot_memory_limit_mib, vm.hot_memory_step_mib
    if memory_mib < vm.memory_mib:
        _require_stopped(vm, f"reduce the memory of guest {vm.name!r}")
    elif not vm.has_memory_hot_add:
        _require_stopped(vm, f"add memory to guest {vm.name!r}, which has no memory hot-add,")
    elif limit and memory_mib > limit:
        _require_stopped(vm, f"add memory to guest {vm.name!r} beyond its {limit} MiB for hot-add")
    elif step and (memory_mib - vm.memory_mib) % step:
        _require_stopped(vm, f"add memory to guest {vm.name!r} other than in units of {step} MiB")
    _require_not_suspended(vm, "memory")
    return {"memoryMB": memory_mib}


def cpus_change(vm: SizedVm, cpus: int) -> dict[str, int]:
    """Return the fields of the ``ConfigSpec`` that change a VM's processors; none if it has this many.

    :raises InvalidArguments: the sockets of the VM have other numbers of cores
    :raises InvalidState: the VM must be stopped for this
    """
    if cpus == vm.cpus:
        return {}
    check_cpus(vm, cpus)
    if cpus < vm.cpus:
        _require_stopped(vm, f"reduce the CPUs of guest {vm.name!r}")
    elif not vm.has_cpu_hot_add:
        _require_stopped(vm, f"add CPUs to guest {vm.name!r}, which has no CPU hot-add,")
    _require_not_suspended(vm, "CPUs")
    return {"numCPUs": cpus}


def _require_stopped(vm: SizedVm, attempt: str) -> None:
    if vm.state != GuestState.STOPPED:
        raise InvalidState(attempt, vm.state, GuestState.STOPPED)


def _require_not_suspended(vm: SizedVm, what: str) -> None:
    if vm.state == GuestState.PAUSED:
        raise InvalidState(f"change the {what} of guest {vm.name!r}", vm.state, GuestState.STOPPED)
