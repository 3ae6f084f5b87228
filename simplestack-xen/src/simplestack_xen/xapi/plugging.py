"""Devices of guests, disks' drives and network interfaces alike: in, out, and gone.

XAPI plugs the devices of a guest in when it starts, and others while it runs, if its tools are there.
"""

from simplestack import GuestState, require_state
from simplestack_xen.xapi.lookups import Vm
from simplestack_xen.xapi.records import VbdRecord, VifRecord
from simplestack_xen.xapi.session import XenSession

_RECORDS: dict[str, type[VbdRecord] | type[VifRecord]] = {"VBD": VbdRecord, "VIF": VifRecord}


def takes_devices(vm: Vm, attempt: str) -> bool:
    """Tell whether a guest takes a new device at once, since it runs; one that is off does when it starts.

    :param attempt: what was tried with it, such as ``add a disk to``
    :raises InvalidState: it does neither: it is paused
    """
    record = vm.record
    attempt = f"{attempt} guest {record.name_label!r}"
    require_state(record.state, GuestState.STARTED, GuestState.STOPPED, attempt=attempt)
    return record.power_state == "Running"


def plug(session: XenSession, class_name: str, ref: str) -> None:
    """Plug a device in, unless it is."""
    if not _is_plugged(session, class_name, ref):
        getattr(session.tasks.run, class_name).plug(ref)


def unplug(session: XenSession, class_name: str, ref: str) -> None:
    """Unplug a device, unless it is out."""
    if _is_plugged(session, class_name, ref):
        getattr(session.tasks.run, class_name).unplug(ref)


def remove(session: XenSession, class_name: str, ref: str) -> None:
    """Unplug a device and destroy it. XAPI may call one plugged in that could not be."""
    unplug(session, class_name, ref)
    getattr(session.xenapi, class_name).destroy(ref)


def _is_plugged(session: XenSession, class_name: str, ref: str) -> bool:
    return session.api.read(_RECORDS[class_name], f"{class_name}.get_record", ref).currently_attached
