"""Copies of VMs and templates, with disks of their own: clones of vCenter, or VMs built on a lone host."""

from typing import TYPE_CHECKING

from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.guests.cloning import clone_vm
from simplestack_vmware.vsphere.guests.hardware import Hardware
from simplestack_vmware.vsphere.guests.host_copies import HostOrigin, copy_on_host, require_buildable
from simplestack_vmware.vsphere.guests.origins import VmOrigin, find_origin
from simplestack_vmware.vsphere.guests.placement import Place
from simplestack_vmware.vsphere.sessions.session import VmwareSession

if TYPE_CHECKING:
    from simplestack_vmware.sdk import vim


def find_copyable(session: VmwareSession, id_or_name: str) -> VmOrigin:
    """Find what is to be copied, and check that it can be.

    :raises EntityNotFound: ``Guest``
    :raises Conflict: vSphere has lost its files; or a disk is shared or independent
    :raises InvalidState: it is suspended; or on a lone host, it runs
    :raises NotImplementedError: it has a device that a copy cannot have
    """
    if session.api.is_vcenter:
        return find_origin(session, id_or_name, VmOrigin)
    origin = find_origin(session, id_or_name, HostOrigin)
    require_buildable(origin)
    return origin


def copy_vm(
    session: VmwareSession,
    undo: Undo,
    origin: VmOrigin,
    place: Place,
    *,
    config: "vim.vm.ConfigSpec",
    hardware: Hardware,
) -> Ref:
    """Copy a VM.

    :param undo: removes the copy
    :param origin: as `find_copyable` returned it
    :param config: what differs, with the name and the instance UUID
    :param hardware: what the copy has in addition; networks take the place of those of the original
    """
    if isinstance(origin, HostOrigin):
        return copy_on_host(session, undo, origin, place, config=config, hardware=hardware)
    return clone_vm(session, undo, origin, place, config=config, hardware=hardware)
