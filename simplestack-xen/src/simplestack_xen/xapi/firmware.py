"""The firmware that boots a VM: BIOS, or UEFI where XAPI has it."""

from msgspec import field

from simplestack import Firmware
from simplestack_xen.xapi.lookups import Vm
from simplestack_xen.xapi.records import Record
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.undo import Undo

_KEY = "firmware"


class _FirmwareRecord(Record, frozen=True, kw_only=True, gc=False):
    """The fields of a VM that are about its firmware."""

    HVM_boot_params: dict[str, str] = field(default_factory=dict)
    #: The variables of UEFI; None before XenServer 8.0, which has no UEFI.
    NVRAM: dict[str, str] | None = None


def require_firmware(*, paravirtualized: bool) -> None:
    """Check that a guest has firmware.

    :raises NotImplementedError: it is paravirtualized
    """
    if paravirtualized:
        raise NotImplementedError(
            "paravirtualized guests have no firmware on this hypervisor: omit `firmware`, or set "
            "`paravirtualized` to false"
        )


def set_firmware(session: XenSession, undo: Undo, vm: Vm, firmware: Firmware) -> None:
    """Set the firmware of a stopped VM.

    :raises NotImplementedError: this version of XAPI has no UEFI, and would use BIOS
    """
    record = session.api.read(_FirmwareRecord, "VM.get_record", vm.ref)
    if firmware == "uefi" and record.NVRAM is None:
        raise NotImplementedError("the hosts of this pool do not support UEFI: use `firmware` bios")
    if record.HVM_boot_params.get(_KEY) != firmware:
        undo.later(session.xenapi.VM.set_HVM_boot_params, vm.ref, record.HVM_boot_params)
        session.xenapi.VM.set_HVM_boot_params(vm.ref, record.HVM_boot_params | {_KEY: firmware})
