"""MAC addresses that clients choose. vSphere accepts one twice, and some that no guest can start with."""

import re
from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct, field

from simplestack import Conflict, InvalidArguments
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.records import Named
from simplestack_vmware.vsphere.inventory.walks import TO_VMS
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.sessions.session import VmwareSession

#: The addresses that VMware generates. A guest with a manual one of these does not start. Of the prefix
#: 00:50:56, only those up to 00:50:56:3f:ff:ff are for manual ones.
_GENERATED = re.compile("00:50:56:[4-9a-f]|00:0c:29:")


class _Address(Struct, frozen=True):
    mac: str | None = field(name="macAddress", default=None)


class _Addresses(Named, frozen=True, kw_only=True):
    """The MAC addresses of a VM's devices."""

    TYPE: ClassVar[str] = "VirtualMachine"

    devices: list[_Address] = field(name="config.hardware.device", default_factory=list)


def require_usable_mac(session: VmwareSession, mac: str, besides: Ref | None = None) -> None:
    """Check that a guest can have a MAC address, and that no other one has it.

    This takes one round trip, and one for each further 1,000 guests.

    :param mac: in lower case
    :param besides: the VM that may have it
    :raises Conflict: a guest has it
    :raises InvalidArguments: VMware generates it, so no guest starts with it
    """
    records = session.reader.read(Query([session.root], [_Addresses], TO_VMS))
    for vm in (record for record in records if isinstance(record, _Addresses) and record.ref != besides):
        if any((each.mac or "").lower() == mac for each in vm.devices):
            raise Conflict.of_mac(mac, vm.name)
    if _GENERATED.match(mac):
        raise InvalidArguments(
            f"`mac`: VMware generates {mac} itself, and no guest starts with it: use 00:50:56:00:00:00 to "
            "00:50:56:3f:ff:ff, or an address with another prefix, or leave it out"
        )


def usable_macs(session: VmwareSession, macs: Iterable[str], besides: Ref | None = None) -> frozenset[str]:
    """Return those addresses that a new guest can have: no guest has them, and VMware generates none of them.

    This takes a round trip, and one for each further 1,000 guests, unless VMware generates all.

    :param macs: in lower case
    :param besides: the new guest, if it is there already
    """
    manual = {mac for mac in macs if not _GENERATED.match(mac)}
    if manual:
        records = session.reader.read(Query([session.root], [_Addresses], TO_VMS))
        vms = [each for each in records if isinstance(each, _Addresses) and each.ref != besides]
        manual -= {(device.mac or "").lower() for vm in vms for device in vm.devices}
    return frozenset(manual)
