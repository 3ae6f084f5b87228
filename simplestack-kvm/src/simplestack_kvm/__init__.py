"""Simplestack's plugin for KVM and QEMU, through libvirt."""

from pathlib import Path

try:
    from simplestack import CloudInit, GuestImport, HypervisorPlugin
except ImportError as error:
    if error.name != "simplestack":  # something that core itself lacks
        raise
    # pip installs core along, unless told not to. The import package is not named as its distribution is.
    raise ImportError(
        "simplestack_kvm is a plugin of simplestack-core 2, which is not installed: "
        "install it from where this plugin comes from",
        name="simplestack",
    ) from error

from simplestack_kvm import errors, session
from simplestack_kvm.hooks import (
    disks,
    guests,
    guests_create,
    guests_export,
    guests_import,
    guests_update,
    hosts,
    interfaces,
    media,
    networks,
    pools,
    power,
    snapshots,
    storages,
    tags,
)
from simplestack_kvm.settings import KvmSettings, warnings

#: The entry point ``kvm`` of the group ``simplestack.hypervisors``.
plugin = HypervisorPlugin(
    name="kvm",
    aliases=("qemu",),
    title="KVM (libvirt)",
    tested_against="libvirt 9.0 with QEMU 7.2 (software emulation); not against KVM itself",
    optional_fields={
        "guest_create": ("firmware", *CloudInit.__struct_fields__),
        "guest_clone": CloudInit.__struct_fields__,
        "guest_import": GuestImport.__struct_fields__,
    },
    settings=KvmSettings,
    connect=session.connect,
    disconnect=session.disconnect,
    check=session.check,
    translate=errors.translate,
    warnings=warnings,
    hooks=(
        pools,
        hosts,
        storages,
        guests,
        guests_create,
        guests_export,
        guests_import,
        guests_update,
        power,
        disks,
        media,
        interfaces,
        networks,
        snapshots,
        tags,
    ),
    examples=Path(__file__).with_name("examples.json"),
)
