"""Remove VMs and snapshots, with the disk images that only they use."""

import logging
from collections.abc import Mapping

from simplestack import SimplestackError, warn
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.drives import drives
from simplestack_xen.xapi.images import of_control_domains, own_images
from simplestack_xen.xapi.messages import Messages
from simplestack_xen.xapi.records import VdiRecord, VmRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import require_connected

_log = logging.getLogger(__name__)


def remove_vm(session: XenSession, ref: str) -> list[str]:
    """Destroy a VM with its snapshots and the disk images that nothing else uses.

    The VM is destroyed first: if XAPI rejects that, nothing has changed.

    :return: what of it could not be removed, for people
    :raises Conflict: a storage of its disks is not connected to any host, so that these would be left
    """
    vm = session.api.read(VmRecord, "VM.get_record", ref)
    snapshots = session.api.read_some(VmRecord, "VM", vm.snapshots)
    everything = {ref: vm, **snapshots}
    images = own_images(session, drives(session, *everything.values()), everything)
    require_connected(session, images.storages, f"delete guest {vm.name_label!r}")
    session.tasks.run.VM.destroy(ref)
    for image in images.shared.values():
        _warn_that_stays(image, image.name_label)
    left = []
    for snapshot, record in snapshots.items():
        left += _attempt(f"snapshot {record.name_label!r}", session.tasks.run.VM.destroy, snapshot)
    return left + remove_images(session, images.names)


def discard_vm(session: XenSession, ref: str) -> None:
    """Destroy a new VM with its disks, even if it runs: a failed start may still take effect later."""
    try:
        remove_vm(session, ref)
    except XenAPI.Failure as failure:
        if failure.details[0] != "VM_BAD_POWER_STATE":
            raise
        session.tasks.run.VM.hard_shutdown(ref)
        remove_vm(session, ref)


def remove_images(session: XenSession, names: Mapping[str, str]) -> list[str]:
    """Destroy disk images whose VM is gone, but for those that another VM was given meanwhile.

    :param names: by reference
    :return: those that could not be removed, for people
    """
    left = []
    now = session.api.read_some(VdiRecord, "VDI", names)
    for ref, image in now.items():
        users = set(image.VBDs)
        if users - of_control_domains(session, users):
            _warn_that_stays(image, names[ref])
        else:
            left += _attempt(f"disk {names[ref]!r}", session.tasks.run.VDI.destroy, ref)
    return left


def _warn_that_stays(image: VdiRecord, name: str) -> None:
    warn(f"disk {name!r} ({image.uuid}) stays: another guest or a snapshot has it, too")


def _attempt(what: str, destroy: Messages, ref: str) -> list[str]:
    """Destroy an object, if it still exists. Return its description if that fails."""
    try:
        destroy(ref)
    except XenAPI.Failure as failure:
        if failure.details[0] != "HANDLE_INVALID":
            _log.warning("%s of %s failed: %s", destroy, what, failure)
            return [f"{what} ({failure.details[0]})"]
    except SimplestackError as error:
        _log.warning("%s of %s failed: %s", destroy, what, error)
        return [f"{what} ({error.name})"]
    return []
