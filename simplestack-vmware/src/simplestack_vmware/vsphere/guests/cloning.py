"""Copies of VMs and templates, with disks of their own. vCenter makes them in one task."""

from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.guests.creation import make_vm
from simplestack_vmware.vsphere.guests.origins import VmOrigin
from simplestack_vmware.vsphere.guests.placement import Place
from simplestack_vmware.vsphere.sessions.session import VmwareSession

#: Copies all files that disks are based on, too, and shares none.
_WHOLE = "moveAllDiskBackingsAndDisallowSharing"


def clone_vm(
    session: VmwareSession, undo: Undo, origin: VmOrigin, place: Place, config: "vim.vm.ConfigSpec"
) -> Ref:
    """Copy a VM with its current disks, without snapshots.

    :param undo: removes the copy
    :param config: what differs, with the name and the instance UUID
    """
    api = session.api
    location = vim.vm.RelocateSpec(
        pool=api.object(place.pool), host=api.object(place.host), diskMoveType=_WHOLE
    )
    if place.datastore is not None:
        location.datastore = api.object(place.datastore.ref)
    spec = vim.vm.CloneSpec(location=location, config=config, template=False, powerOn=False)
    clone = session.vm(origin).CloneVM_Task
    return make_vm(
        session, undo, config.instanceUuid or "", clone, api.object(place.folder), config.name, spec
    )
