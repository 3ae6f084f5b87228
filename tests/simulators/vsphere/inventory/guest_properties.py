"""Properties of a VM that follow from its configuration and its state."""

from datetime import UTC, datetime
from typing import Any

from pyVmomi import vim

from simulators.vsphere.data import make
from simulators.vsphere.database import Object
from simulators.vsphere.derived import derived

device = vim.vm.device
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@derived(vim.VirtualMachine, "summary", own=True)
def _summary(vm: Object) -> vim.vm.Summary:
    return make(
        vim.vm.Summary,
        vm=vm.ref,
        runtime=vm["runtime"],
        guest=_guest(vm),
        config=_config(vm),
        storage=make(vim.vm.Summary.StorageSummary, timestamp=_BEGAN),
        quickStats=make(vim.vm.Summary.QuickStats, guestHeartbeatStatus=vm["guestHeartbeatStatus"]),
        overallStatus=vm["overallStatus"],
    )


@derived(vim.VirtualMachine, "storage")
def _storage(_vm: Object) -> vim.vm.StorageInfo:
    return make(vim.vm.StorageInfo, timestamp=datetime.now(UTC))


@derived(vim.VirtualMachine, "environmentBrowser")
def _environment(vm: Object) -> Any:
    host = vm.database.get(vm["runtime.host"])
    return vm.database.get(host["parent"])["environmentBrowser"]


def _guest(vm: Object) -> Any:
    info = vm["guest"]
    if info is None:
        return None
    names = ("toolsStatus", "toolsVersionStatus", "toolsVersionStatus2", "toolsRunningStatus")
    shown = {
        name: getattr(info, name) for name in (*names, "hostName", "ipAddress", "guestId", "guestFullName")
    }
    return make(vim.vm.Summary.GuestSummary, **shown)


def _config(vm: Object) -> Any:
    config = vm["config"]
    if config is None:  # an orphaned or inaccessible VM
        return make(vim.vm.Summary.ConfigSummary, name=vm["name"])
    hardware = config.hardware
    return make(
        vim.vm.Summary.ConfigSummary,
        name=config.name,
        template=config.template,
        vmPathName=config.files.vmPathName,
        memorySizeMB=hardware.memoryMB,
        numCpu=hardware.numCPU,
        numEthernetCards=sum(isinstance(each, device.VirtualEthernetCard) for each in hardware.device),
        numVirtualDisks=sum(isinstance(each, device.VirtualDisk) for each in hardware.device),
        uuid=config.uuid,
        instanceUuid=config.instanceUuid,
        guestId=config.guestId,
        guestFullName=config.guestFullName,
        annotation=config.annotation,
        hwVersion=config.version,
    )
