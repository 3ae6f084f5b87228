"""Create VMs with copies of disks: the VM first, in a new folder of files, then the copies in this folder."""

from collections.abc import Callable, Sequence

from msgspec import field

from simplestack import EntityNotFound
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.reconfiguring import reconfigure
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.disks.additions import NewDisk, added_disks
from simplestack_vmware.vsphere.disks.copies import DiskFile, copy_disk
from simplestack_vmware.vsphere.guests.creation import make_vm
from simplestack_vmware.vsphere.guests.placement import Place
from simplestack_vmware.vsphere.inventory.devices import Device
from simplestack_vmware.vsphere.inventory.records import VmDevices
from simplestack_vmware.vsphere.sessions.session import VmwareSession

#: Returns the key of the controller and the unit of the disk with a number, None for the first free ones.
Seat = Callable[[Sequence[Device], int], tuple[int, int] | None]


class _NewVm(VmDevices, frozen=True, kw_only=True):
    path: str = field(name="config.files.vmPathName", default="")


def create_vm(
    session: VmwareSession, undo: Undo, place: Place, config: "vim.vm.ConfigSpec", datastore: str = ""
) -> Ref:
    """Create a VM in a new folder of files, which vSphere names.

    :param undo: removes the VM
    :param config: with the name and the instance UUID
    :param datastore: name of its datastore as vSphere stores it, if the place has none
    """
    name = datastore if place.datastore is None else place.datastore.stored_name
    config.files = vim.vm.FileInfo(vmPathName=f"[{name}]")
    api = session.api
    return make_vm(
        session,
        undo,
        config,
        api.object(place.folder).CreateVM_Task,
        config,
        pool=api.object(place.pool),
        host=api.object(place.host),
    )


def add_copies(
    session: VmwareSession,
    vm: Ref,
    place: Place,
    files: Sequence[DiskFile],
    *,
    more: Sequence[NewDisk],
    seat: Seat = lambda _devices, _number: None,
) -> None:
    """Add copies of disks to a new VM, and empty disks after them.

    :param vm: its folder is its own
    """
    made = session.reader.read_one(_NewVm, vm)
    if made is None:
        raise EntityNotFound("Guest", vm.value)  # it has just been removed
    base = made.path.removesuffix(".vmx")
    disks = []
    with Undo() as undo:
        for number, file in enumerate(files):
            target = f"{base}_{number}.vmdk" if number else f"{base}.vmdk"
            copy_disk(session, undo, file, target, place.datacenter)
            disks.append(NewDisk(path=target, place=seat(made.devices, number)))
        reconfigure(session, made, added_disks(made.devices, [*disks, *more]))
