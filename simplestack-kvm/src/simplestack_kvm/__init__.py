"""Simplestack's plugin for KVM and QEMU, through libvirt."""

from simplestack import HypervisorPlugin
from simplestack_kvm import (
    disks,
    faults,
    guests,
    guests_create,
    guests_update,
    hosts,
    networks,
    pools,
    power,
    session,
    storages,
)
from simplestack_kvm.settings import KvmSettings, warnings

#: The entry point ``kvm`` of the group ``simplestack.hypervisors``.
plugin = HypervisorPlugin(
    name="kvm",
    aliases=("qemu",),
    title="KVM (libvirt)",
    settings=KvmSettings,
    connect=session.connect,
    disconnect=session.disconnect,
    check=session.check,
    translate=faults.translate,
    warnings=warnings,
    hooks=(disks, guests, guests_create, guests_update, hosts, networks, pools, power, storages),
    shares_sessions=True,
    may_hang=True,
)
