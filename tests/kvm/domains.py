"""Domains of the tests' own making, as other tools define them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import libvirt

_TEMPLATE = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu{current}>{cpus}</vcpu>
  <os><type arch='x86_64' machine='{machine}'>hvm</type>{system}</os>
  <features><acpi/></features>
  {extra}
  <devices>{devices}</devices>
</domain>
"""


def file_disk(path: str, target: str, bus: str, *, device: str = "disk", more: str = "") -> str:
    """Write a <disk>."""
    kind = "raw" if device == "cdrom" or "shareable" in more else "qcow2"
    driver = f"<driver name='qemu' type='{kind}'/>"
    source = f"<source file='{path}'/>" if path else ""
    inner = f"{driver}{source}<target dev='{target}' bus='{bus}'/>{more}"
    return f"<disk type='file' device='{device}'>{inner}</disk>"


def volume_disk(pool: str, name: str, target: str, bus: str) -> str:
    """Write a <disk> that names a pool and a qcow2 volume in it."""
    inner = f"<driver name='qemu' type='qcow2'/><source pool='{pool}' volume='{name}'/>"
    return f"<disk type='volume' device='disk'>{inner}<target dev='{target}' bus='{bus}'/></disk>"


@contextmanager
def foreign(
    connection: "libvirt.virConnect",
    devices: str = "",
    *,
    machine: str = "q35",
    cpus: int = 1,
    memory_mib: int = 32,
    current_cpus: int | None = None,
    extra: str = "",
    system: str = "",
) -> Iterator["libvirt.virDomain"]:
    """Define a domain that Simplestack did not make, and remove it again.

    :param system: more of its ``<os>``, in which NAME is its name
    """
    name = f"foreign-{uuid.uuid4().hex[:8]}"
    current = "" if current_cpus is None else f" current='{current_cpus}'"
    domain = connection.defineXML(
        _TEMPLATE.format(
            name=name,
            devices=devices,
            machine=machine,
            cpus=cpus,
            memory_mib=memory_mib,
            current=current,
            extra=extra,
            system=system.replace("NAME", name),
        )
    )
    try:
        yield domain
    finally:
        with suppress(libvirt.libvirtError):  # the test may have stopped or removed it
            domain.destroy()
        with suppress(libvirt.libvirtError):
            domain.undefineFlags(
                libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                | libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
            )


@contextmanager
def volume(connection: "libvirt.virConnect", pool: str, size_bytes: int) -> Iterator["libvirt.virStorageVol"]:
    """Make a qcow2 volume, and remove it again."""
    text = (
        f"<volume><name>foreign-{uuid.uuid4().hex[:8]}</name><capacity>{size_bytes}</capacity>"
        "<target><format type='qcow2'/></target></volume>"
    )
    made = connection.storagePoolLookupByName(pool).createXML(text)
    try:
        yield made
    finally:
        with suppress(libvirt.libvirtError):  # the test may have removed it
            made.delete()
