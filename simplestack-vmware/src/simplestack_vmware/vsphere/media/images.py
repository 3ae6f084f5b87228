"""Find ISO images and images of disks in datastores.

Of ISO images, only files that end in ``.iso`` are found: any other file, such as another guest's disk, would
be shown to the guest as it is.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from simplestack import Conflict, EntityNotFound
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.connection.faults import Fault, child, local_name, text_of
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.names import shown_path
from simplestack_vmware.vsphere.inventory.records import DatastoreRecord
from simplestack_vmware.vsphere.inventory.walks import TO_DATASTORES
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_PATH = re.compile(r"\[([^\]]+)\] ?/?(.+)", re.DOTALL)
_ROOT = re.compile(r"\[[^\]]+\] ?")
_SHOWN_PATHS = 10
#: Faults for what is not there, or not for this user.
_HIDDEN = ("FileNotFound", "InvalidDatastorePath", "NoPermission")


class _Kind(NamedTuple):
    """A kind of images."""

    entity: str
    words: str
    suffix: str
    #: vSphere's type of it, in searches.
    query: str


_ISO = _Kind("ISO", "ISO image", ".iso", "IsoImageQuery")
_DISK = _Kind("Image", "disk image", ".vmdk", "VmDiskQuery")


class IsoStore(DatastoreRecord, frozen=True, kw_only=True):
    """A datastore that may have ISO images."""

    browser: Ref | None = None


def all_iso_stores(session: VmwareSession) -> list[IsoStore]:
    """Return all datastores that the user may read: one round trip."""
    records = session.reader.read(Query([session.root], [IsoStore], TO_DATASTORES))
    return [record for record in records if isinstance(record, IsoStore)]


def find_iso(session: VmwareSession, stores: Iterable[IsoStore], name: str) -> str:
    """Return the path of an ISO image as vSphere has it, ``[datastore] folder/name.iso``.

    A path takes one search, of its folder. A name takes one of each datastore, all at the same time.

    :param stores: where to look
    :param name: path of the image, with the name or the ID of the datastore; or its name in any folder
    :raises EntityNotFound: ``ISO``
    :raises Conflict: several images have the name
    """
    return _find(session, stores, name, _ISO)


def find_disk_image(session: VmwareSession, stores: Iterable[IsoStore], name: str) -> str:
    """Return the path of the image of a disk, as `find_iso` does for ISO images.

    :raises EntityNotFound: ``Image``
    :raises Conflict: several images have the name
    """
    return _find(session, stores, name, _DISK)


def _find(session: VmwareSession, stores: Iterable[IsoStore], name: str, kind: _Kind) -> str:
    stores = [store for store in stores if store.is_accessible and store.browser is not None]
    match = _PATH.fullmatch(name)
    path = name if match is None else match[2]
    *folders, file = path.split("/")
    if not file.lower().endswith(kind.suffix) or not all(each.strip(".") for each in (*folders, file)):
        raise EntityNotFound(kind.entity, name)
    if match is not None:
        chosen = _called(stores, match[1])
        places = [f"[{store.stored_name}] {'/'.join(folders)}".rstrip() for store in chosen]
        found = _search(session, chosen, places, file, kind, with_sub_folders=False)
    elif folders:
        found = []  # no file has such a name
    else:
        places = [f"[{store.stored_name}]" for store in stores]
        found = _search(session, stores, places, file, kind, with_sub_folders=True)
    if not found:
        raise EntityNotFound(kind.entity, name)
    if len(found) > 1:
        paths = ", ".join(sorted(map(shown_path, found))[:_SHOWN_PATHS])
        raise Conflict(f"several {kind.words}s are called {name!r}: use one of these paths: {paths}")
    return found[0]


def _called(stores: Sequence[IsoStore], name_or_id: str) -> list[IsoStore]:
    """Return the datastores of a name, else the one of an ID."""
    named = [store for store in stores if name_or_id in (store.name, store.stored_name)]
    return named or [store for store in stores if store.id == name_or_id]


def _search(
    session: VmwareSession,
    stores: Sequence[IsoStore],
    places: Sequence[str],
    file: str,
    kind: _Kind,
    *,
    with_sub_folders: bool,
) -> list[str]:
    """Return the paths of the files of a name.

    :param places: where to look in each datastore
    """
    browser = vim.host.DatastoreBrowser
    # A name may have `*` and `?` in it, which are patterns here: so compare what is found.
    spec = browser.SearchSpec(
        matchPattern=[file], query=[getattr(browser, kind.query)()], searchCaseInsensitive=True
    )
    tasks = []
    for store, place in zip(stores, places, strict=True):
        assert store.browser is not None  # noqa: S101  for the type checker
        search = session.api.object(store.browser)
        method = search.SearchDatastoreSubFolders_Task if with_sub_folders else search.SearchDatastore_Task
        try:
            tasks.append(session.tasks.start(method, place, spec))
        except Fault as fault:
            _raise_unless_hidden(fault)
    found: list[str] = []
    for result in session.tasks.results(tasks, f"the search for the {kind.words}"):
        if isinstance(result, Fault):
            _raise_unless_hidden(result)
        elif result is not None:
            found += _paths(result, file)
    return found


def _raise_unless_hidden(fault: Fault) -> None:
    if not any(fault.is_a(name) for name in _HIDDEN):
        raise fault


def _paths(result: Element, file: str) -> Iterator[str]:
    """Yield the paths of the files of exactly this name in the results of a search."""
    for each in result.iter():
        if child(each, "folderPath") is None:
            continue
        folder = text_of(each, "folderPath")
        if _ROOT.fullmatch(folder):
            folder = f"{folder.rstrip()} "
        elif not folder.endswith("/"):
            folder += "/"
        yield from (
            folder + file for info in each if local_name(info) == "file" and text_of(info, "path") == file
        )
