"""Deletions of a guest's first disk, alone and with the guest, for tests of what must stay."""

from collections.abc import Callable
from typing import Any

import pytest
from pyVmomi import vim

from simplestack_vmware.hooks.disks import disk_delete
from simplestack_vmware.hooks.guests import guest_delete
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from support.vsphere import Host

from .linked_clones import disk_files

Delete = Callable[[VmwareSession, Host], None]


def delete_disk(session: VmwareSession, host: Host) -> None:
    disk_delete(session, id_of(host), "2000")


def delete_guest(session: VmwareSession, host: Host) -> None:
    guest_delete(session, id_of(host))


#: Either would delete the first disk of vm-1.
both = pytest.mark.parametrize("delete", [delete_disk, delete_guest])


def id_of(host: Host, name: str = "vm-1") -> str:
    found: str = host.vm(name)["config.instanceUuid"]
    return found


def disks(host: Host, name: str = "vm-1") -> list[Any]:
    return [
        each
        for each in host.vm(name)["config.hardware.device"]
        if isinstance(each, vim.vm.device.VirtualDisk)
    ]


def has_first_disk(host: Host) -> bool:
    return any("vm-1/vm-1.vmdk" in paths for paths in disk_files(host).values())
