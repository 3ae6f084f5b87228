"""A change of a VM that is under way: a copy of its configuration, and how to undo what happened to files."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pyVmomi import vim, vmodl

from simulators.vsphere.database import Object
from simulators.vsphere.files import File, split_path
from simulators.vsphere.schema import fields, name_of

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

T = TypeVar("T")
State = vim.VirtualMachine.PowerState


@dataclass
class Plan:
    """A change of a VM. Whoever uses it holds the database's lock."""

    simulator: "Simulator"
    #: A copy, which becomes the VM's configuration if all succeeds.
    config: Any
    host: Object
    #: The VM's power state.
    state: Any = State.poweredOff
    has_snapshots: bool = False
    #: The names of the disks' files that the VM's snapshots need.
    kept_files: frozenset[str] = frozenset()
    #: Keys of new devices, by the keys that the client gave them.
    new_keys: dict[int, int] = field(default_factory=dict)
    _undo: list[Callable[[], Any]] = field(default_factory=list)

    @property
    def is_off(self) -> bool:
        """Whether the VM is powered off."""
        return bool(self.state == State.poweredOff)

    def need_off(self) -> None:
        """Check that the VM is powered off.

        :raises InvalidPowerState: it is not
        """
        if not self.is_off:
            raise vim.fault.InvalidPowerState(requestedState=State.poweredOff, existingState=self.state)

    def need_not_suspended(self) -> None:
        """Check that the VM is not suspended, since its hardware is part of what was saved.

        :raises InvalidPowerState: it is
        """
        if self.state == State.suspended:
            self.need_off()

    @property
    def devices(self) -> list[Any]:
        """All devices."""
        found: list[Any] = self.config.hardware.device
        return found

    def find(self, key: int) -> Any:
        """Return the device with a key; None if there is none."""
        return next((each for each in self.devices if each.key == key), None)

    def of_kind(self, kind: Any) -> list[Any]:
        """Return all devices of a type."""
        return [each for each in self.devices if isinstance(each, kind)]

    def locate(self, path: str) -> tuple[Object, str]:
        """Return the datastore and the path in it of ``[datastore] folder/name``.

        :raises InvalidDatastorePath: there is no such datastore on the VM's host
        """
        name, inside = split_path(path)
        for store in self.simulator.database.all(vim.Datastore):
            if store["name"] == name and any(mount.key == self.host.ref for mount in store["host"]):
                return store, inside
        raise vim.fault.InvalidDatastorePath(name=name, datastorePath=path)

    def home(self) -> tuple[Object, str]:
        """Return the datastore and the path of the VM's configuration file."""
        return self.locate(self.config.files.vmPathName)

    def add_file(self, store: Object, path: str, file: File) -> None:
        """Write a file.

        :raises FileAlreadyExists: there is one already
        :raises NoDiskSpace: the datastore is too full
        """
        files = self.simulator.files
        _named(store, path, lambda: files.add(store.id, path, file))

        def undo() -> None:
            if files.find(store.id, path) is file:  # an import is undone later, when it may be gone
                files.remove(store.id, path)

        self._undo.append(undo)

    def get_file(self, store: Object, path: str) -> File:
        """Return a file.

        :raises FileNotFound: it is not there
        """
        return _named(store, path, lambda: self.simulator.files.get(store.id, path))

    def remove_file(self, store: Object, path: str) -> None:
        """Delete a file.

        :raises FileNotFound: it is not there
        """
        file = self.get_file(store, path)
        self.simulator.files.remove(store.id, path)
        self._undo.append(lambda: self.simulator.files.add(store.id, path, file))

    def grow_disk(self, store: Object, path: str, size: int) -> None:
        """Let a disk's file have another capacity.

        :param size: in bytes
        :raises NoDiskSpace: the datastore is too full
        """
        files, file = self.simulator.files, self.get_file(store, path)
        capacity, used = file.capacity_bytes, file.size_bytes
        if not file.is_thin:
            _named(store, path, lambda: files.resize(store.id, path, size))
            self._undo.append(lambda: files.resize(store.id, path, used))
        file.capacity_bytes = size
        self._undo.append(lambda: setattr(file, "capacity_bytes", capacity))

    @contextlib.contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo what happened to files if the block fails."""
        try:
            yield
        except Exception:
            self.roll_back()
            raise

    def roll_back(self) -> None:
        """Undo what happened to files."""
        while self._undo:
            self._undo.pop()()

    def relations(self) -> tuple[list[Any], list[Any]]:
        """Return the references of the datastores and the networks that the configuration uses."""
        stores, networks = [self.home()[0]], []
        for each in self.devices:
            backing = each.backing
            name = getattr(backing, "fileName", None)
            if name:
                stores.append(self.locate(name)[0])
            if isinstance(backing, vim.vm.device.VirtualEthernetCard.NetworkBackingInfo):
                networks.append(self.network(vim.Network, "name", backing.deviceName))
            elif isinstance(backing, vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo):
                kind = vim.dvs.DistributedVirtualPortgroup
                networks.append(self.network(kind, "key", backing.port.portgroupKey or ""))
            elif isinstance(backing, vim.vm.device.VirtualEthernetCard.OpaqueNetworkBackingInfo):
                path = "summary.opaqueNetworkId"
                networks.append(self.network(vim.OpaqueNetwork, path, backing.opaqueNetworkId))
        return _refs(stores), _refs([each for each in networks if each is not None])

    def network(self, kind: Any, path: str, value: str) -> Object | None:
        """Return the VM's host's network that has a value."""
        for each in self.simulator.database.all(kind):
            if each.kind is kind and each[path] == value and self.host.ref in each["host"]:
                return each
        return None


def given(value: Any) -> dict[str, Any]:
    """Return the properties of a data object that are set."""
    kind: Any = type(value)
    own = {each.name: getattr(value, each.name) for each in fields(kind)}
    return {
        name: each
        for name, each in own.items()
        if each is not None and not (isinstance(each, list) and not each)
    }


def check_known(value: Any, known: Collection[str]) -> None:
    """Check that the simulator has all properties of a data object that are set.

    :raises NotImplemented: it does not
    """
    for name in given(value):
        if name not in known:
            kind = name_of(type(value))
            raise vmodl.fault.NotImplemented(msg=f"The simulator does not have {kind}.{name}.")


def _named(store: Object, path: str, act: Callable[[], T]) -> T:
    """Act on a file; let its faults have its whole name."""
    try:
        return act()
    except vim.fault.FileFault as fault:
        changed: Any = fault
        changed.file = f"[{store['name']}] {path}"
        if isinstance(fault, vim.fault.NoDiskSpace):
            changed.datastore = store["name"]
        raise


def _refs(objects: list[Object]) -> list[Any]:
    return list({each.id: each.ref for each in objects}.values())
