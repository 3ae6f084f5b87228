"""Simplestack's plugin for Xen pools (XenServer, XCP-ng), through XenAPI."""

from pathlib import Path

try:
    from simplestack import CloudInit, GuestImport, HypervisorPlugin
except ImportError as error:
    if error.name != "simplestack":  # something that core itself lacks
        raise
    # pip installs core along, unless told not to. The import package is not named as its distribution is.
    raise ImportError(
        "simplestack_xen is a plugin of simplestack-core 2, which is not installed: "
        "install it from where this plugin comes from",
        name="simplestack",
    ) from error

from simplestack_xen import errors, session
from simplestack_xen.hooks import (
    disks,
    guests,
    guests_create,
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
    transfer,
)
from simplestack_xen.settings import XenSettings

#: The entry point ``xen`` of the group ``simplestack.hypervisors``.
plugin = HypervisorPlugin(
    name="xen",
    title="Xen (XenAPI: XenServer, XCP-ng)",
    tested_against="XAPI simulator; not against a real pool",
    optional_fields={
        "guest_create": ("firmware", *CloudInit.__struct_fields__),
        "guest_clone": CloudInit.__struct_fields__,
        "guest_import": GuestImport.__struct_fields__,
    },
    settings=XenSettings,
    examples=Path(__file__).with_name("examples.json"),
    connect=session.connect,
    disconnect=session.disconnect,
    check=session.check,
    translate=errors.translate,
    enforces_time_limits=True,
    warnings=XenSettings.tls_warnings,
    hooks=(
        pools,
        hosts,
        storages,
        guests,
        guests_create,
        guests_update,
        transfer,
        power,
        disks,
        media,
        networks,
        interfaces,
        snapshots,
        tags,
    ),
)
