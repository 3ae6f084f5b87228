"""What each operation asks of vSphere: calls of SOAP or VI-JSON."""

from collections import Counter
from typing import Any, NamedTuple

from simplestack import (
    DiskCreate,
    DiskUpdate,
    GuestUpdate,
    NetworkCreate,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
)
from simplestack_vmware import plugin
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from support.vsphere import Host

_READS = ("RetrievePropertiesEx", "FindAllByUuid")
#: Calls of pages after the first, and those that wait for tasks: one or two for each.
_MORE = ("ContinueRetrievePropertiesEx", "WaitForUpdatesEx", "CreatePropertyCollector", "Destroy")


class Calls(NamedTuple):
    """The calls of an operation."""

    #: Those that read, of which each further page of 1,000 objects takes one more.
    reads: int
    #: Those that change something.
    changes: int
    #: Tasks: each takes two or three calls to wait for it.
    tasks: int


class Counted:
    """Performs operations, and counts what each takes."""

    def __init__(self, host: Host, session: VmwareSession) -> None:
        self._host = host
        self._session = session
        self.calls: dict[str, Calls] = {}

    def do(self, hook: str, *arguments: Any, shown: str | None = None, **named: Any) -> Any:
        """Call a hook of the plugin.

        :param shown: what the counts are for; none if empty. Default: the hook
        """
        (own,) = [getattr(module, hook) for module in plugin.hooks if hasattr(module, hook)]
        self._host.calls()
        result = own(self._session, *arguments, **named)
        if shown != "":
            self.calls[shown or hook] = _calls(self._host.calls())
        return result


def _calls(made: Counter[str]) -> Calls:
    reads = sum(made[name] for name in _READS)
    tasks = made["CreateFilter"]
    return Calls(reads, made.total() - reads - tasks - sum(made[name] for name in _MORE), tasks)


def live(counted: Counted) -> None:
    """Perform all operations on a guest that the session knows."""
    do = counted.do
    do("pool_info")
    for entity in ("host", "storage", "network"):
        listed = do(f"{entity}_list")
        do(f"{entity}_info", listed[0].id)
    do("network_vlan_create", NetworkCreate(name="customer", vlan=42, from_network="VM Network"))
    do("guest_list", frozenset({"hdd", "host"}))
    guest = do("guest_create", VmwareGuestCreate(name="web", memory=1024)).id
    do("guest_info", guest, shown="")
    do("guest_info", guest)
    _devices(counted, guest)
    made = do("snapshot_create", guest, "before")
    do("snapshot_list", guest)
    do("snapshot_info", guest, made.id)
    do("snapshot_revert", guest, made.id)
    do("snapshot_delete", guest, made.id)
    do("tag_create", guest, "blue")
    do("tag_list", guest)
    do("tag_delete", guest, "blue")
    do("guest_update", guest, GuestUpdate(memory=2048))
    do("guest_clone", guest, "copy", None)
    do("guest_start", guest)
    do("guest_reboot", guest, force=True)
    do("guest_suspend", guest)
    do("guest_resume", guest)
    do("guest_shutdown", guest, force=True)
    do("guest_delete", guest)


def _devices(counted: Counted, guest: str) -> None:
    do = counted.do
    disk = do("disk_create", guest, DiskCreate(size=1)).id
    do("disk_list", guest)
    do("disk_info", guest, disk)
    do("disk_update", guest, disk, DiskUpdate(size=2))
    do("disk_delete", guest, disk)
    do("media_mount", guest, "[isos] debian-12.iso")
    do("media_info", guest)
    do("media_unmount", guest)
    card = do("network_interface_create", guest, NetworkInterfaceCreate(network="VM Network")).id
    do("network_interface_list", guest)
    do("network_interface_info", guest, card)
    do("network_interface_update", guest, card, NetworkInterfaceUpdate(active=False))
    do("network_interface_delete", guest, card)
