"""Create guests from templates, from images or with empty disks."""

import xml.etree.ElementTree as ET
from functools import cached_property

from simplestack import MIB, Guest, GuestCreate, gib_to_bytes, hookimpl, parse_xml
from simplestack_xen.hooks.guests import show_guest
from simplestack_xen.xapi.cloud_init import add_data, own_copy
from simplestack_xen.xapi.drives import create_drive, drive_values, insert
from simplestack_xen.xapi.firmware import require_firmware, set_firmware
from simplestack_xen.xapi.hardware import (
    HVM_BOOT_POLICY,
    PV_BOOTLOADER,
    carry_out,
    hardware_steps,
)
from simplestack_xen.xapi.images import copied, create_image, find_image
from simplestack_xen.xapi.interfaces import replace_interfaces
from simplestack_xen.xapi.leftovers import remove_leftovers_if_due
from simplestack_xen.xapi.lookups import Vm, find_network, find_template
from simplestack_xen.xapi.making import Making
from simplestack_xen.xapi.naming import with_name
from simplestack_xen.xapi.records import NULL, VmRecord
from simplestack_xen.xapi.removal import discard_vm, remove_vm
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import Sr, find_disk_sr, sr_beside
from simplestack_xen.xapi.tasks import reference_in
from simplestack_xen.xapi.undo import Undo

#: Key in a template's `other_config` with the disks that `VM.provision` creates.
_DISKS_KEY = "disks"
_CD_DEVICE = "3"


class _Parts:
    """Everything that a request names, looked up before anything is created."""

    def __init__(self, session: XenSession, wanted: GuestCreate) -> None:
        self._session = session
        self._storage = wanted.storage
        self.template = None if wanted.template is None else find_template(session, wanted.template)
        self.iso = None if wanted.iso is None else find_image(session, wanted.iso, "ISO")[0]
        self.image = None if wanted.image is None else find_image(session, wanted.image, "Image")
        self.networks = [find_network(session, new.network) for new in wanted.network_interfaces]
        self.disks = [
            (disk, self._sr_of_disks if disk.storage is None else find_disk_sr(session, disk.storage))
            for disk in wanted.disks
        ]
        if wanted.firmware is not None:
            is_pv = self.template is not None and self.template.record.is_paravirtualized
            require_firmware(
                paravirtualized=is_pv if wanted.paravirtualized is None else wanted.paravirtualized
            )
        if wanted.cloud_init is not None:
            _ = self.sr_of_cloud_init  # raises if there is none
        provisions = self.template is not None and _DISKS_KEY in self.template.record.other_config
        if wanted.storage is not None or self.image is not None or provisions:
            _ = self.sr  # raises if there is none

    @cached_property
    def sr(self) -> Sr:
        """The storage for disks that do not name one."""
        return find_disk_sr(self._session, self._storage)

    @cached_property
    def sr_of_cloud_init(self) -> Sr:
        """The storage for data for cloud-init: that of the guest's first disk."""
        if self._storage is None and self.template is None and self.image is None and self.disks:
            return self.disks[0][1]
        return self._sr_of_disks

    @cached_property
    def _sr_of_disks(self) -> Sr:
        """The storage for more disks than the template has, if the request names none."""
        if self._storage is not None or self.template is None:
            return self.sr
        return sr_beside(self._session, self.template.record)


@hookimpl
def guest_create(session: XenSession, guest: GuestCreate) -> Guest:
    """Create a guest.

    A template gives all that the request does not: its disks come first, and interfaces that the request
    names take the place of the template's. Without one it is an HVM guest with a CD drive.
    """
    parts = _Parts(session, guest)
    remove_leftovers_if_due(session)
    making = Making(session)
    with Undo() as undo:
        ref = with_name(
            session,
            guest.name,
            lambda: _new_vm(session, making, guest, parts),
            lambda made: remove_vm(session, made),
        )
        undo.do("VM.destroy", discard_vm, session, ref)
        _configure(session, making, guest, parts, ref)
        making.finish()
        if guest.start:
            session.tasks.run.VM.start(ref, False, False)
        return show_guest(session, ref)


def _new_vm(session: XenSession, making: Making, wanted: GuestCreate, parts: _Parts) -> str:
    """Create the VM, with the disks and interfaces of the template, if there is one."""
    if parts.template is None:
        return str(session.xenapi.VM.create(_record(wanted) | {"other_config": making.marks(wanted.name)}))
    template = parts.template
    with making.copying_vm(template.ref, template.record, wanted.name):
        if wanted.storage is not None and template.record.VBDs:
            return reference_in(session.tasks.run.VM.copy(template.ref, wanted.name, parts.sr.ref))
        return reference_in(session.tasks.run.VM.clone(template.ref, wanted.name))


def _configure(session: XenSession, making: Making, wanted: GuestCreate, parts: _Parts, ref: str) -> None:
    """Add disks, interfaces and media to a new VM. If this fails, the caller removes the VM."""
    vm = _read(session, ref)
    with Undo() as undo:
        if parts.template is None:
            # Not the first device: operating systems expect their disk there.
            session.xenapi.VBD.create(drive_values(ref, NULL, kind="CD", device=_CD_DEVICE))
        else:
            _make_guest(session, undo, wanted, parts, vm)
        own_copy(session, making, vm)
        if parts.image is not None:
            copy = copied(session, undo, making, parts.image, parts.sr, name=f"{wanted.name[:240]} disk")
            create_drive(session, undo, ref, copy, bootable=True)
        for number, (disk, sr) in enumerate(parts.disks):
            name = disk.name or f"{wanted.name[:240]} disk {number}"
            image = create_image(session, undo, making, sr, gib_to_bytes(disk.size), name=name)
            making.attaching(image, name)
            create_drive(session, undo, ref, image, bootable=number == 0 and parts.image is None)
        if parts.networks:
            replace_interfaces(session, undo, vm, parts.networks)
        if parts.iso is not None:
            insert(session, undo, _read(session, ref), parts.iso)
        if wanted.firmware is not None:
            set_firmware(session, undo, vm, wanted.firmware)
        if wanted.cloud_init is not None:
            add_data(session, undo, making, vm, wanted.cloud_init, sr=parts.sr_of_cloud_init)


def _make_guest(session: XenSession, undo: Undo, wanted: GuestCreate, parts: _Parts, vm: Vm) -> None:
    """Convert the clone of a template or a guest to a guest."""
    steps = hardware_steps(
        vm, memory_mib=wanted.memory, cpus=wanted.cpus, paravirtualized=wanted.paravirtualized
    )
    carry_out(session, undo, vm, steps)
    if vm.record.is_a_template:
        disks = vm.record.other_config.get(_DISKS_KEY)
        if disks is not None:
            session.xenapi.VM.remove_from_other_config(vm.ref, _DISKS_KEY)
            session.xenapi.VM.add_to_other_config(vm.ref, _DISKS_KEY, _in_storage(disks, parts.sr))
        session.tasks.run.VM.provision(vm.ref)  # this also converts the template to a guest


def _read(session: XenSession, ref: str) -> Vm:
    return Vm(ref, session.api.read(VmRecord, "VM.get_record", ref))


def _record(wanted: GuestCreate) -> dict[str, object]:
    """Return the record of a new VM without a template."""
    memory, cpus = (wanted.memory or 0) * MIB, wanted.cpus or 1
    return {
        "name_label": wanted.name,
        "name_description": "",
        "user_version": 1,
        "is_a_template": False,
        "affinity": NULL,
        "memory_static_max": memory,
        "memory_dynamic_max": memory,
        "memory_dynamic_min": memory,
        "memory_static_min": memory,
        "VCPUs_params": {},
        "VCPUs_max": cpus,
        "VCPUs_at_startup": cpus,
        "actions_after_shutdown": "destroy",
        "actions_after_reboot": "restart",
        "actions_after_crash": "restart",
        "PV_bootloader": PV_BOOTLOADER if wanted.paravirtualized else "",
        "PV_kernel": "",
        "PV_ramdisk": "",
        "PV_args": "",
        "PV_bootloader_args": "",
        "PV_legacy_args": "",
        "HVM_boot_policy": "" if wanted.paravirtualized else HVM_BOOT_POLICY,
        "HVM_boot_params": {"order": "cdn"},
        "has_vendor_device": False,
        "platform": {"acpi": "1", "apic": "true", "pae": "true", "nx": "true", "viridian": "false"},
        "PCI_bus": "",
        "recommendations": "",
    }


def _in_storage(disks: str, sr: Sr) -> str:
    """Return a template's list of disks with the storage added: the template does not name one."""
    root = parse_xml(disks, "the template's list of disks")
    for disk in root.iter("disk"):
        disk.set("sr", sr.record.uuid)
    return ET.tostring(root, encoding="unicode")
