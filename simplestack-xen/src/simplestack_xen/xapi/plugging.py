"""Plug, unplug and remove devices of guests: drives and network interfaces.

XAPI plugs in the devices of a guest when it starts. While it runs, devices can be plugged only if its tools
run.
"""

from simplestack import GuestState, require_state
from simplestack_xen.xapi.lookups import Vm
from simplestack_xen.xapi.records import VbdRecord, VifRecord
from simplestack_xen.xapi.session import XenSession

_RECORDS: dict[str, type[VbdRecord] | type[VifRecord]] = {"VBD": VbdRecord, "VIF": VifRecord}


def takes_devices(vm: Vm, attempt: str) -> bool:
    """Return whether to plug in a new device now, since the guest runs. Otherwise its start does that.

    :param attempt: what was tried, such as ``add a disk to``
    :raises InvalidState: the guest is paused
    """
    record = vm.record
    attempt = f"{attempt} guest {record.name_label!r}"
    require_state(record.state, GuestState.STARTED, GuestState.STOPPED, attempt=attempt)
    return record.power_state == "Running"


def plug(session: XenSession, class_name: str, ref: str) -> None:
    """Plug in a device, unless it is plugged in."""
    if not _is_plugged(session, class_name, ref):
        getattr(session.tasks.run, class_name).plug(ref)


def unplug(session: XenSession, class_name: str, ref: str) -> None:
    """Unplug a device, if it is plugged in."""
    if _is_plugged(session, class_name, ref):
        getattr(session.tasks.run, class_name).unplug(ref)


def remove(session: XenSession, class_name: str, ref: str) -> None:
    """Unplug a device and destroy it."""
    unplug(session, class_name, ref)
    getattr(session.xenapi, class_name).destroy(ref)


def _is_plugged(session: XenSession, class_name: str, ref: str) -> bool:
    return session.api.read(_RECORDS[class_name], f"{class_name}.get_record", ref).currently_attached
