"""``HostDatastoreBrowser``: files of a datastore, and the datastore's space."""

import re
from datetime import UTC, datetime
from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.data import array, make
from simulators.vsphere.database import Object
from simulators.vsphere.datastore_paths import full_name, plain
from simulators.vsphere.files import File, split_path
from simulators.vsphere.methods import method
from simulators.vsphere.schema import Long
from simulators.vsphere.tasks import Running

Browser = vim.host.DatastoreBrowser
_BROWSE = "Datastore.Browse"
_HARDWARE_VERSION = 21
_Flat = vim.vm.device.VirtualDisk.FlatVer2BackingInfo
#: What queries find, by what a name ends with, and as what they return it.
_TYPES: dict[str, tuple[Any, Any]] = {
    ".vmx": (Browser.VmConfigQuery, Browser.VmConfigInfo),
    ".vmtx": (Browser.TemplateVmConfigQuery, Browser.TemplateVmConfigInfo),
    ".vmdk": (Browser.VmDiskQuery, Browser.VmDiskInfo),
    ".vmsn": (Browser.VmSnapshotQuery, Browser.VmSnapshotInfo),
    ".iso": (Browser.IsoImageQuery, Browser.IsoImageInfo),
    ".flp": (Browser.FloppyImageQuery, Browser.FloppyImageInfo),
    ".nvram": (Browser.VmNvramQuery, Browser.VmNvramInfo),
    ".log": (Browser.VmLogQuery, Browser.VmLogInfo),
}


@method(Browser, "SearchDatastore_Task", privilege="System.View")
def search(call: Call, datastore_path: str, search_spec: Any) -> Any:
    """Return what is in a folder."""
    spec, store, folder = _begin(call, datastore_path, search_spec)

    def work(_running: Running) -> Any:
        _need_folder(call, store, folder)
        return _results(spec, store, folder, _contents(call, store, folder)[folder])

    return call.start(work, store)


@method(Browser, "SearchDatastoreSubFolders_Task", privilege="System.View")
def search_sub_folders(call: Call, datastore_path: str, search_spec: Any) -> Any:
    """Return what is in a folder, and in each folder in it: those too in which nothing is found."""
    spec, store, folder = _begin(call, datastore_path, search_spec)

    def work(_running: Running) -> Any:
        _need_folder(call, store, folder)
        contents = _contents(call, store, folder)
        results = [_results(spec, store, each, contents[each]) for each in sorted(contents)]
        return array(Browser.SearchResults, results)

    return call.start(work, store)


@method(vim.Datastore, "RefreshDatastore")
@method(vim.Datastore, "RefreshDatastoreStorageInfo")
def refresh(call: Call) -> None:
    """Let the datastore's information have its free space of now."""
    info: Any = call.target["info"]
    info.freeSpace = Long(call.simulator.files.free(call.target.id))
    info.timestamp = datetime.now(UTC)
    call.target.touch()


def _begin(call: Call, name: str, spec: Any) -> tuple[Any, Object, str]:
    label, path = split_path(name)
    stores = [call.resolve(ref) for ref in call.target["datastore"]]
    store = next((each for each in stores if each["name"] == label), None)
    if store is None:
        raise vim.fault.InvalidDatastorePath(datastorePath=name)
    call.need(_BROWSE, store)
    spec = spec or Browser.SearchSpec()
    kinds = [type(query) for query in spec.query]
    if len(set(kinds)) != len(kinds):
        raise vmodl.fault.InvalidArgument(invalidProperty="searchSpec.query")
    for query in spec.query:
        _check_filter(query)
    return spec, store, plain(name, path)


def _check_filter(query: Any) -> None:
    """Check that the simulator has all that a query filters by."""
    wanted: Any = getattr(query, "filter", None)
    names = ("controllerType", "matchConfigVersion", "encrypted")
    if wanted is not None and any(getattr(wanted, name, None) not in (None, []) for name in names):
        raise vmodl.fault.NotImplemented(msg="The simulator filters disks by type, version and thinness.")


def _need_folder(call: Call, store: Object, folder: str) -> None:
    if not call.simulator.files.has_folder(store.id, folder):
        raise vim.fault.FileNotFound(file=full_name(store, folder))


def _contents(call: Call, store: Object, start: str) -> dict[str, dict[str, File]]:
    """Return what is in a folder and in each folder in it, by name."""
    found: dict[str, dict[str, File]] = {start: {}}
    for path, file in call.simulator.files.tree(store.id, start).items():
        if path == start:
            continue
        if file.kind == "folder":
            found.setdefault(path, {})
        own, name = file, path
        while name != start:
            folder, _, last = name.rpartition("/")
            found.setdefault(folder, {})[last] = own
            own, name = File("folder"), folder
    return found


def _results(spec: Any, store: Object, folder: str, found: dict[str, File]) -> Any:
    path = f"[{store['name']}] {folder}/" if folder else f"[{store['name']}]"
    is_last = spec.sortFoldersFirst or False
    names = sorted(found, key=lambda name: (is_last and found[name].kind != "folder", name))
    shown = [_described(spec, path, name, found[name]) for name in names if _matches(spec, name)]
    return make(
        Browser.SearchResults,
        datastore=store.ref,
        folderPath=path,
        file=[each for each in shown if each is not None],
    )


def _matches(spec: Any, name: str) -> bool:
    flags = re.IGNORECASE if spec.searchCaseInsensitive else re.NOFLAG
    patterns = [re.escape(each).replace(r"\*", ".*").replace(r"\?", ".") for each in spec.matchPattern]
    return not patterns or any(re.fullmatch(each, name, flags | re.DOTALL) for each in patterns)


def _described(spec: Any, folder: str, name: str, file: File) -> Any:
    """Return what is shown of a file; None if no query finds it."""
    wanted, kind = _type_of(spec, name, file)
    query = next((each for each in spec.query if type(each) is wanted), None)
    is_any = any(type(each) is Browser.Query for each in spec.query)
    if spec.query and query is None and not is_any:
        return None
    if not _passes(query, file):
        return None
    details = spec.details
    is_typed = query is not None or (details is not None and details.fileType)
    made: Any = (kind if is_typed else Browser.FileInfo)(path=name)
    if details is not None:
        made.fileSize = Long(file.size_bytes) if details.fileSize else None
        made.modification = file.modified if details.modification else None
        made.owner = "root" if details.fileOwner else None
    own = getattr(query, "details", None)
    if isinstance(made, Browser.VmDiskInfo) and own is not None:
        _describe_disk(made, own, file, folder)
    elif isinstance(made, Browser.VmConfigInfo) and own is not None and own.configVersion:
        made.configVersion = _HARDWARE_VERSION
    return made


def _type_of(spec: Any, name: str, file: File) -> tuple[Any, Any]:
    if file.kind == "folder":
        return Browser.FolderQuery, Browser.FolderInfo
    own = name.lower() if spec.searchCaseInsensitive else name
    found = (kinds for suffix, kinds in _TYPES.items() if own.endswith(suffix))
    return next(found, (Browser.Query, Browser.FileInfo))


def _passes(query: Any, file: File) -> bool:
    wanted: Any = getattr(query, "filter", None)
    if wanted is None or not isinstance(query, Browser.VmDiskQuery):
        return True
    if wanted.diskType and _Flat not in wanted.diskType:
        return False
    if wanted.matchHardwareVersion and _HARDWARE_VERSION not in wanted.matchHardwareVersion:
        return False
    return wanted.thin in (None, file.is_thin)


def _describe_disk(made: Any, details: Any, file: File, folder: str) -> None:
    made.diskType = _Flat if details.diskType else None
    made.capacityKb = Long(file.capacity_bytes // 1_024) if details.capacityKb else None
    made.hardwareVersion = _HARDWARE_VERSION if details.hardwareVersion else None
    made.thin = file.is_thin if details.thin else None
    if details.diskExtents:
        separator = "" if folder.endswith("/") else " "
        made.diskExtents = [f"{folder}{separator}{made.path.removesuffix('.vmdk')}-flat.vmdk"]
