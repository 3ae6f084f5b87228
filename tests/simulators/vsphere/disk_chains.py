"""The files of disks that have snapshots: each delta has the backing that it is based on as its parent."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyVmomi import vim, vmodl

from simulators.vsphere.data import copy, make
from simulators.vsphere.files import File, split_path

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

Disk = vim.vm.device.VirtualDisk
_Flat = Disk.FlatVer2BackingInfo
#: What a delta takes up when it is new.
_DELTA_BYTES = 16 * 1024**2


def disks_of(config: Any) -> list[Any]:
    """Return the disks of a configuration that are files."""
    found: list[Any] = [each for each in config.hardware.device if isinstance(each, Disk)]
    return [disk for disk in found if hasattr(disk.backing, "fileName")]


def snapshot_disks(config: Any) -> list[Any]:
    """Return the disks of a configuration that take part in snapshots.

    Independent disks do not, nor do physical LUNs.
    """
    return [
        disk
        for disk in disks_of(config)
        if not (disk.backing.diskMode or "").startswith("independent")
        and getattr(disk.backing, "compatibilityMode", None) != "physicalMode"
    ]


def chain(backing: Any) -> Iterator[Any]:
    """Yield a backing, its parent, and so on."""
    while backing is not None:
        yield backing
        backing = backing.parent


def locate(simulator: "Simulator", file_name: str) -> tuple[str, str]:
    """Return the datastore's ID and the path in it.

    :raises InvalidDatastore: there is no such datastore
    """
    name, path = split_path(file_name)
    for store in simulator.database.all(vim.Datastore):
        if store["name"] == name:
            return store.id, path
    raise vim.fault.InvalidDatastorePath(datastorePath=file_name)


def add_deltas(simulator: "Simulator", config: Any) -> None:
    """Let each disk of a configuration continue in a new file.

    :raises NoDiskSpace: a datastore is too full; nothing has changed
    """
    made: list[tuple[str, str]] = []
    deltas = []
    try:
        for disk in snapshot_disks(config):
            store, path = _free_name(simulator, disk.backing)
            capacity = disk.capacityInBytes
            simulator.files.add(store, path, File("disk", _DELTA_BYTES, capacity, is_thin=True))
            made.append((store, path))
            deltas.append((disk, path))
    except vmodl.MethodFault:
        for store, path in made:
            simulator.files.remove(store, path)
        raise
    for disk, path in deltas:
        base = disk.backing
        label = base.fileName.partition("]")[0]
        delta = copy(make(_Flat, **{**base.__dict__, "parent": None}))
        delta.fileName, delta.parent = f"{label}] {path}", base
        disk.backing = delta


def merged_grains(files: list[File]) -> dict[int, bytes]:
    """Return what a disk contains.

    :param files: of its chain, the newest first
    """
    found: dict[int, bytes] = {}
    for each in reversed(files):
        found |= each.grains
    return found


def copied(files: list[File], *, is_thin: bool) -> File:
    """Return a copy of a disk, without snapshots.

    :param files: of its chain, the newest first
    """
    capacity = files[0].capacity_bytes
    size = min(capacity, sum(each.size_bytes for each in files)) if is_thin else capacity
    return File("disk", size, capacity, is_thin, grains=merged_grains(files))


def check_files(simulator: "Simulator", config: Any) -> None:
    """Check that the disks of a configuration are there.

    :raises FileNotFound: one is not
    """
    for disk in snapshot_disks(config):
        for backing in chain(disk.backing):
            simulator.files.get(*locate(simulator, backing.fileName))


def file_names(configs: list[Any]) -> set[str]:
    """Return the names of all files in the chains of some configurations."""
    disks = [disk for config in configs for disk in snapshot_disks(config)]
    return {backing.fileName for disk in disks for backing in chain(disk.backing)}


def all_file_names(configs: list[Any]) -> set[str]:
    """Return the names of all files of disks, those of independent disks too."""
    disks = [disk for config in configs for disk in disks_of(config)]
    return {backing.fileName for disk in disks for backing in chain(disk.backing)}


def remove_unneeded(simulator: "Simulator", before: set[str], configs: list[Any]) -> None:
    """Remove the deltas that nobody needs.

    :param before: the names of files that there were
    :param configs: of the VM, and of the snapshots that are left
    """
    for name in before - file_names(configs):
        _remove(simulator, name)


def consolidate(simulator: "Simulator", configs: list[Any]) -> None:
    """Merge the deltas that only another delta needs."""
    while (pair := _mergeable(configs)) is not None:
        _merge(simulator, configs, *pair)


def _mergeable(configs: list[Any]) -> tuple[Any, Any] | None:
    """Return a backing that is only the parent of one other, and that other."""
    ends = {disk.backing.fileName for config in configs for disk in snapshot_disks(config)}
    children: dict[str, dict[str, tuple[Any, Any]]] = {}
    for config in configs:
        for disk in snapshot_disks(config):
            for backing in chain(disk.backing):
                if backing.parent is not None:
                    pair = (backing.parent, backing)
                    children.setdefault(backing.parent.fileName, {})[backing.fileName] = pair
    for name, found in children.items():
        if name not in ends and len(found) == 1:
            return next(iter(found.values()))
    return None


def _merge(simulator: "Simulator", configs: list[Any], parent: Any, child: Any) -> None:
    place = locate(simulator, parent.fileName)
    own = simulator.files.get(*place)
    newer = simulator.files.get(*locate(simulator, child.fileName))
    added = newer.size_bytes
    own.grains = own.grains | newer.grains
    _remove(simulator, child.fileName)
    simulator.files.resize(*place, min(own.capacity_bytes, own.size_bytes + added - _DELTA_BYTES))
    gone, kept, above = child.fileName, parent.fileName, parent.parent
    for config in configs:
        for disk in snapshot_disks(config):
            for backing in chain(disk.backing):
                if backing.fileName == gone:
                    backing.fileName, backing.parent = kept, above


def _free_name(simulator: "Simulator", backing: Any) -> tuple[str, str]:
    root = list(chain(backing))[-1]
    store, path = locate(simulator, root.fileName)
    base = path.removesuffix(".vmdk")
    names = (f"{base}-{number:06}.vmdk" for number in range(1, 1_000_000))
    return store, next(name for name in names if simulator.files.find(store, name) is None)


def _remove(simulator: "Simulator", file_name: str) -> None:
    store, path = locate(simulator, file_name)
    if simulator.files.find(store, path) is not None:
        simulator.files.remove(store, path)
