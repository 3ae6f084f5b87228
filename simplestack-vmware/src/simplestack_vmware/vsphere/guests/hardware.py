"""The virtual hardware of new VMs: changes of devices, as vSphere's specs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.disks.additions import NewDisk, added_disks
from simplestack_vmware.vsphere.inventory.records import NetworkRecord
from simplestack_vmware.vsphere.media.drives import new_drive
from simplestack_vmware.vsphere.networks.new_cards import new_card

if TYPE_CHECKING:
    Changes = list[vim.vm.device.VirtualDeviceSpec]

_FIRST_CARD_KEY = -401


class Hardware(NamedTuple):
    """What is added to a VM."""

    disks: Sequence[NewDisk] = ()
    networks: Sequence[NetworkRecord] = ()
    #: UUIDs of distributed switches.
    switch_uuids: Mapping[Ref, str] = {}
    #: Path of the ISO image in the CD drive, ``[datastore] path``.
    iso: str | None = None
    paravirtualized: bool = True


def new_devices(wanted: Hardware) -> "Changes":
    """Return the devices of a VM that is not a copy: a disk controller, disks, a CD drive and cards."""
    disks = added_disks([], wanted.disks, paravirtualized=wanted.paravirtualized)
    return [*disks, *new_drive(wanted.iso), *new_cards(wanted)]


def new_cards(wanted: Hardware) -> "Changes":
    """Return the cards in the networks."""
    return [
        new_card(
            network,
            wanted.switch_uuids,
            _FIRST_CARD_KEY - number,
            paravirtualized=wanted.paravirtualized,
        )
        for number, network in enumerate(wanted.networks)
    ]
