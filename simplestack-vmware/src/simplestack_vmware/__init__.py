"""Simplestack's plugin for VMware vSphere: vCenter and ESXi, through pyvmomi."""

from pathlib import Path

try:
    from simplestack import CloudInit, HypervisorPlugin
except ImportError as error:
    if error.name != "simplestack":  # something that core itself lacks
        raise
    # pip installs core along, unless told not to. The import package is not named as its distribution is.
    raise ImportError(
        "simplestack_vmware is a plugin of simplestack-core 2, which is not installed: "
        "install it from where this plugin comes from",
        name="simplestack",
    ) from error

from simplestack_vmware import errors, session
from simplestack_vmware.hooks import (
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
from simplestack_vmware.settings import VmwareSettings, warnings

#: The entry point ``vmware`` of the group ``simplestack.hypervisors``.
plugin = HypervisorPlugin(
    name="vmware",
    title="VMware vSphere (vCenter, ESXi)",
    tested_against="vSphere simulators; not against a real vCenter",
    optional_fields={
        "guest_create": ("firmware", *CloudInit.__struct_fields__),
        "guest_clone": CloudInit.__struct_fields__,
        "guest_import": ("name", "memory", "cpus", "network", "firmware", "start"),
    },
    settings=VmwareSettings,
    connect=session.connect,
    disconnect=session.disconnect,
    check=session.check,
    translate=errors.translate,
    shares_sessions=True,
    enforces_time_limits=True,
    warnings=warnings,
    examples=Path(__file__).with_name("examples.json"),
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
        networks,
        interfaces,
        snapshots,
        tags,
    ),
)
