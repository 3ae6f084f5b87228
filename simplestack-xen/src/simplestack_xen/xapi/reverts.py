"""Check what a revert to a snapshot does to a guest's disks, and describe the guest if the revert fails."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from simplestack import (
    UNKNOWN_OUTCOME,
    Busy,
    Conflict,
    HypervisorError,
    InsufficientStorage,
    OperationTimeout,
)
from simplestack_xen.errors import translate
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.drives import Drive, drives
from simplestack_xen.xapi.images import of_control_domains
from simplestack_xen.xapi.lookups import Vm
from simplestack_xen.xapi.records import VmRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import require_connected

#: XAPI's errors before it changes anything.
_REJECTIONS = frozenset(
    {
        "OPERATION_BLOCKED",
        "VM_BAD_POWER_STATE",
        "RBAC_PERMISSION_DENIED",
        "REVERT_ONLY_ALLOWED_ON_SNAPSHOT",
        "MESSAGE_METHOD_UNKNOWN",
        "TOO_MANY_PENDING_TASKS",
    }
)
#: The same, if they name a VM. If they name a disk, XAPI may have changed others.
_REJECTIONS_OF_VMS = frozenset({"OTHER_OPERATION_IN_PROGRESS", "HANDLE_INVALID"})


class Disks(NamedTuple):
    """A guest's disks, by what a revert does with them."""

    #: Those that become what they were in the snapshot.
    reverted: list[Drive]
    #: Those that the snapshot does not have: XAPI detaches them.
    later: list[Drive]


def disks_in_revert(session: XenSession, vm: Vm, snapshot: str) -> Disks:
    """Return what a revert does with the disks of a guest, if it can be done without harm to others.

    XAPI destroys disks that have a snapshot, and clones that, or takes them back where they are.

    :raises Conflict: another guest has one of them, too; or the storage of one is not connected
    :raises Busy: one is copied or backed up just now, so that XAPI would fail in the middle
    """
    then = drives(session, session.api.read(VmRecord, "VM.get_record", snapshot))
    kept = {drive.image.snapshot_of for drive in then}
    disks = Disks([], [])
    for drive in drives(session, vm.record):
        (disks.reverted if drive.record.VDI in kept else disks.later).append(drive)
    storages = {drive.image.SR for drive in (*then, *disks.reverted)}
    require_connected(session, storages, f"revert guest {vm.record.name_label!r}")
    for drive in disks.reverted:
        others = set(drive.image.VBDs) - set(vm.record.VBDs)
        if of_control_domains(session, others):
            raise Busy(
                f"disk {drive.record.userdevice} is copied or backed up just now: try again when that has "
                "ended"
            )
        if others:
            raise Conflict(
                f"disk {drive.record.userdevice} is another guest's, too, which would lose it in the revert: "
                "detach it from one of them first"
            )
    return disks


@contextlib.contextmanager
def explained(session: XenSession, vm: Vm) -> Iterator[None]:
    """Say what became of a guest whose revert fails in the block.

    :raises XenAPI.Failure: XAPI rejects the revert, and nothing has changed
    :raises InsufficientStorage: some of it may be done, and the storage is full
    :raises HypervisorError: some of it may be done
    :raises OperationTimeout: the same
    """
    try:
        yield
    except XenAPI.Failure as failure:
        code = failure.details[0]
        is_of_vm = code in _REJECTIONS_OF_VMS and failure.details[1:2] == ["VM"]
        now = session.api.read_if_there(VmRecord, "VM", vm.ref)
        has_same_drives = now is not None and set(now.VBDs) == set(vm.record.VBDs)
        if (code in _REJECTIONS or is_of_vm) and has_same_drives:
            raise
        message = f"the revert failed ({code}): {_state(has_same_drives=has_same_drives)}"
        if isinstance(translate(failure), InsufficientStorage):
            raise InsufficientStorage(f"{message} after you have made room in the storage") from None
        raise HypervisorError(message, code) from None
    except OperationTimeout as error:
        raise OperationTimeout(f"{error.message}; {_state(has_same_drives=True)}") from None
    except HypervisorError as error:
        if error.details.get("code") != UNKNOWN_OUTCOME:
            raise
        message = f"{error.message}; {_state(has_same_drives=True)}"
        raise HypervisorError(message, UNKNOWN_OUTCOME) from None


def _state(*, has_same_drives: bool) -> str:
    """Return what a guest is whose revert did not succeed.

    Since 26.1.14 XAPI begins without taking drives away, so that the same ones are no proof that it has not.
    """
    if has_same_drives:
        return (
            "the guest may be stopped, and some of its disks may be reverted, others not; the snapshot is "
            "complete, so revert again"
        )
    return "the guest is stopped and lacks disks; the snapshot is complete, so revert again"
