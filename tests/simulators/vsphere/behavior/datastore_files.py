"""``FileManager``: folders are made, and files and folders are removed, moved and copied."""

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace
from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.datastore_paths import check_unlocked, check_unused, full_name, locate
from simulators.vsphere.files import File
from simulators.vsphere.methods import method
from simulators.vsphere.tasks import Running
from simulators.vsphere.vmx_files import configuration_of

_FILES = "Datastore.FileManagement"
#: A datastore and a path in it.
Place = tuple[Object, str]


@method(vim.FileManager, "MakeDirectory", privilege="System.View")
def make_folder(
    call: Call, name: str, datacenter: Object | None, create_parent_directories: bool | None
) -> None:
    """Make a folder, and those that it is in if that is wanted."""
    store, path = locate(call.simulator, name, datacenter)
    call.need(_FILES, store)
    files = call.simulator.files
    if files.has_folder(store.id, path) or files.find(store.id, path) is not None:
        raise vim.fault.FileAlreadyExists(file=name)
    parts = path.split("/")[:-1]
    parents = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    for each in parents:
        if files.find(store.id, each) is not None and not files.has_folder(store.id, each):
            raise vim.fault.FileNotFound(file=full_name(store, each))
    missing = [each for each in parents if not files.has_folder(store.id, each)]
    if missing and not create_parent_directories:
        raise vim.fault.FileNotFound(file=full_name(store, missing[0]))
    for each in (*missing, path):
        files.add(store.id, each, File("folder"))


@method(vim.FileManager, "DeleteDatastoreFile_Task", privilege="System.View")
def delete_file(call: Call, name: str, datacenter: Object | None) -> Any:
    """Remove a file, or a folder with all that is in it, unless a VM uses some of it."""
    place = locate(call.simulator, name, datacenter)
    call.need(_FILES, place[0])

    def work(running: Running) -> None:
        tree = _tree(call, place)
        _check_unused(call, place[0], tree)
        running.commit()
        _remove(call, place, tree)

    return call.start(work)


@method(vim.FileManager, "MoveDatastoreFile_Task", privilege="System.View")
def move_file(call: Call, **parameters: Any) -> Any:
    """Move a file or a folder, unless a VM uses some of it."""
    return _transfer(call, **parameters, is_move=True)


@method(vim.FileManager, "CopyDatastoreFile_Task", privilege="System.View")
def copy_file(call: Call, **parameters: Any) -> Any:
    """Copy a file or a folder, unless a VM that runs writes to some of it."""
    return _transfer(call, **parameters, is_move=False)


def _transfer(
    call: Call,
    *,
    source_name: str,
    source_datacenter: Object | None,
    destination_name: str,
    destination_datacenter: Object | None,
    force: bool | None,
    is_move: bool,
) -> Any:
    source = locate(call.simulator, source_name, source_datacenter, "sourceDatacenter")
    target = locate(
        call.simulator, destination_name, destination_datacenter or source_datacenter, "destinationDatacenter"
    )
    call.need(_FILES, source[0])
    call.need(_FILES, target[0])

    def work(running: Running) -> None:
        tree = _tree(call, source)
        for path in tree:
            if is_move:
                check_unused(call.simulator, full_name(source[0], path))
            else:
                check_unlocked(call.simulator, full_name(source[0], path))
        old = _replaced(call, source, target, is_forced=bool(force))
        freed = [old] if old is not None else []
        freed += tree.values() if is_move and source[0] is target[0] else []
        _check_space(call, target, tree, freed)
        made = tree if is_move else {path: _copy(call, source[0], path, tree[path]) for path in tree}
        running.commit()
        if old is not None:
            _remove(call, target, {target[1]: old})
        if is_move:
            _remove(call, source, tree)
        for path, file in made.items():
            call.simulator.files.add(target[0].id, target[1] + path.removeprefix(source[1]), file)

    return call.start(work)


def _copy(call: Call, store: Object, path: str, file: File) -> File:
    found = configuration_of(call.simulator, store, path) if file.kind == "vmx" else None
    return replace(file, configuration=found, modified=datetime.now(UTC))


def _tree(call: Call, place: Place) -> dict[str, File]:
    """Return a file, or a folder with what is in it, by path.

    :raises InvalidDatastorePath: it is the whole datastore
    :raises FileNotFound: it is not there
    """
    store, path = place
    if not path:
        raise vim.fault.InvalidDatastorePath(datastorePath=full_name(store, path))
    found = call.simulator.files.tree(store.id, path)
    if not found:
        raise vim.fault.FileNotFound(file=full_name(store, path))
    return found


def _check_unused(call: Call, store: Object, tree: dict[str, File]) -> None:
    for path in tree:
        check_unused(call.simulator, full_name(store, path))


def _replaced(call: Call, source: Place, target: Place, *, is_forced: bool) -> File | None:
    """Return the file that is replaced, if there is one.

    :raises FileAlreadyExists: there is one, and it is not to be replaced; or it is a folder, or the source
    :raises FileNotFound: the folder that it is to be in is not there
    :raises InvalidDatastorePath: that folder is in the source
    """
    files, (store, path) = call.simulator.files, target
    name = full_name(store, path)
    if source[0] is store and path.startswith(f"{source[1]}/"):
        raise vim.fault.InvalidDatastorePath(datastorePath=name)
    if not files.has_folder(store.id, path.rpartition("/")[0]):
        raise vim.fault.FileNotFound(file=name)
    old = files.find(store.id, path)
    if files.has_folder(store.id, path) or (old is not None and (not is_forced or target == source)):
        raise vim.fault.FileAlreadyExists(file=name)
    if old is not None:
        if files.has_folder(*_of(source)):
            raise vim.fault.FileAlreadyExists(file=name)
        check_unused(call.simulator, name)
    return old


def _of(place: Place) -> tuple[str, str]:
    return place[0].id, place[1]


def _check_space(call: Call, target: Place, tree: dict[str, File], freed: list[File]) -> None:
    needed = sum(each.size_bytes for each in tree.values()) - sum(each.size_bytes for each in freed)
    store, path = target
    if needed > call.simulator.files.free(store.id):
        raise vim.fault.NoDiskSpace(file=full_name(store, path), datastore=store["name"])


def _remove(call: Call, place: Place, tree: dict[str, File]) -> None:
    """Remove what is at a place. The folder that it was in stays."""
    files, (store, own) = call.simulator.files, place
    for path in tree:
        files.remove(store.id, path)
    folder = own.rpartition("/")[0]
    if not files.has_folder(store.id, folder):
        files.add(store.id, folder, File("folder"))
