"""What the originals of copies have."""

from typing import Any

from pyVmomi import vim

from simulators.vsphere.files import File
from support.vsphere import Host

Card = vim.vm.device.VirtualEthernetCard
MANUAL = "00:50:56:00:00:01"


def set_options(host: Host, name: str, **options: str) -> None:
    """Give a VM options; ``__`` in a name is a dot."""
    with host.simulator.database.lock:
        vm = host.vm(name)
        made = [vim.option.OptionValue(key=k.replace("__", "."), value=v) for k, v in options.items()]
        vm["config.extraConfig"] = [*vm["config.extraConfig"], *made]


def options_of(vm: Any) -> dict[str, str]:
    """Return the options of a VM. vSphere ignores the case of their keys."""
    return {each.key.lower(): each.value for each in vm["config.extraConfig"]}


def choose_mac(host: Host, name: str) -> None:
    """Let the first card of a VM have a manual address."""
    with host.simulator.database.lock:
        vm = host.vm(name)
        card = next(each for each in vm["config.hardware.device"] if isinstance(each, Card))
        card.addressType, card.macAddress = "manual", MANUAL
        vm.touch()


def insert(host: Host, name: str, iso: str) -> None:
    """Put an ISO image into the drive of a VM, and make its file."""
    with host.simulator.database.lock:
        vm = host.vm(name)
        label, path = iso.removeprefix("[").split("] ")
        (store,) = [each for each in host.all(vim.Datastore) if each["name"] == label]
        if host.simulator.files.find(store.id, path) is None:
            host.simulator.files.add(store.id, path, File("iso", 4096))
        for each in vm["config.hardware.device"]:
            if isinstance(each, vim.vm.device.VirtualCdrom):
                each.backing = vim.vm.device.VirtualCdrom.IsoBackingInfo(fileName=iso, datastore=store.ref)
                each.connectable = vim.vm.device.VirtualDevice.ConnectInfo(
                    startConnected=True, connected=False, allowGuestControl=True
                )
        vm.touch()
