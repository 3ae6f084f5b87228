"""``/folder/PATH?dcPath=DATACENTER&dsName=DATASTORE``: files of datastores over HTTP.

A client has the cookie of its session, or a name and a password (HTTP Basic).
"""

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from pyVmomi import vim, vmodl

from simulators.vsphere.database import Object
from simulators.vsphere.datastore_paths import check_unlocked, check_unused, full_name, locate
from simulators.vsphere.files import File, Kind
from simulators.vsphere.inventory.descent import ancestors
from simulators.vsphere.routes import route
from simulators.vsphere.vmx_files import configuration_of, vmx_text

if TYPE_CHECKING:
    from simulators.vsphere.handler import Handler
    from simulators.vsphere.sessions import Account
    from simulators.vsphere.simulator import Simulator

PREFIX = "/folder/"
#: Files are stored in memory.
_MAX_UPLOAD_BYTES = 256 * 1024**2
_BROWSE, _FILES = "Datastore.Browse", "Datastore.FileManagement"
_ZEROS = bytes(64 * 1024)
_STATUS: dict[Any, int] = {
    vim.fault.NotAuthenticated: 401,
    vim.fault.NoPermission: 403,
    vim.fault.FileLocked: 500,
    vim.fault.NoDiskSpace: 507,
}
_KINDS: dict[str, Kind] = {".vmx": "vmx", ".iso": "iso"}


@route("GET", PREFIX)
@route("HEAD", PREFIX)
def download(handler: "Handler") -> None:
    """Send a file. One whose content nobody has set is zeros."""
    simulator = handler.simulator
    try:
        with simulator.database.lock:
            store, path = _locate(handler, _BROWSE)
            file = simulator.files.get(store.id, path)
            if file.kind == "folder":
                raise vim.fault.FileNotFound(file=path)
            check_unlocked(simulator, full_name(store, path))
            content = file.content
            if content is None and file.kind == "vmx":
                config = configuration_of(simulator, store, path)
                content = None if config is None else vmx_text(simulator, config).encode()
            size = file.size_bytes if content is None else len(content)
    except vmodl.MethodFault as fault:
        _fail(handler, fault)
        return
    if content is not None:
        handler.send(200, content, "application/octet-stream")
        return
    handler.send_response(200)
    handler.send_header("Content-Type", "application/octet-stream")
    handler.send_header("Content-Length", str(size))
    handler.end_headers()
    if handler.command == "GET":
        for start in range(0, size, len(_ZEROS)):
            handler.wfile.write(_ZEROS[: size - start])


@route("PUT", PREFIX)
def upload(handler: "Handler") -> None:
    """Store a file, or replace one that no VM uses."""
    simulator = handler.simulator
    try:
        with simulator.database.lock:
            _check_target(simulator, *_locate(handler, _FILES))
        content = handler.read_body(_MAX_UPLOAD_BYTES)
        if content is None:
            return
        with simulator.database.lock:
            store, path = _locate(handler, _FILES)
            old = _check_target(simulator, store, path)
            kind: Kind = next((own for suffix, own in _KINDS.items() if path.endswith(suffix)), "other")
            _replace(simulator, store, path, old, File(kind, len(content), content=content))
    except vmodl.MethodFault as fault:
        _fail(handler, fault)
        return
    handler.send(200 if old is not None else 201, b"")


@route("DELETE", PREFIX)
def delete(handler: "Handler") -> None:
    """Remove a file that no VM uses."""
    simulator = handler.simulator
    try:
        with simulator.database.lock:
            store, path = _locate(handler, _FILES)
            if simulator.files.get(store.id, path).kind == "folder":
                raise vim.fault.FileNotFound(file=path)
            check_unused(simulator, full_name(store, path))
            simulator.files.remove(store.id, path)
            folder = path.rpartition("/")[0]
            if not simulator.files.has_folder(store.id, folder):
                simulator.files.add(store.id, folder, File("folder"))
    except vmodl.MethodFault as fault:
        _fail(handler, fault)
        return
    handler.send(204, b"")


def _locate(handler: "Handler", privilege: str) -> tuple[Object, str]:
    """Return the datastore and the path that a request names, if the client may use it so.

    :raises NotAuthenticated: there is no session, or the password is wrong
    :raises NoPermission: the client may not
    :raises InvalidDatastorePath: there is no such datastore
    """
    simulator = handler.simulator
    account = _account(handler)
    root = simulator.database.one(vim.ServiceInstance)["content.rootFolder"]
    if account is None:
        raise vim.fault.NotAuthenticated(object=root, privilegeId=privilege)
    if not account.has(privilege):
        raise vim.fault.NoPermission(object=root, privilegeId=privilege)
    parts = urlsplit(handler.path)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    datacenter = _datacenter(simulator, query.get("dcPath"))
    name = f"[{query.get('dsName', '')}] {unquote(parts.path.removeprefix(PREFIX))}"
    return locate(simulator, name, datacenter, "dcPath")


def _account(handler: "Handler") -> "Account | None":
    sessions = handler.simulator.sessions
    session = sessions.find(handler.cookie)
    if session is not None:
        return session.account
    scheme, _, encoded = handler.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    account = sessions.accounts.get(user)
    return account if account is not None and account.password == password else None


def _datacenter(simulator: "Simulator", path: str | None) -> Object | None:
    """Return the datacenter at a path from the root folder: ``DC0``, or ``folder/DC0``."""
    if path is None:
        return None
    for each in simulator.database.all(vim.Datacenter):
        names = [each["name"], *(above["name"] for above in ancestors(each))]
        if "/".join(reversed(names[:-1])) == path.strip("/"):
            return each
    raise vim.fault.InvalidDatastorePath(datastorePath=path)


def _check_target(simulator: "Simulator", store: Object, path: str) -> File | None:
    """Return the file that is replaced, if there is one.

    :raises FileNotFound: it is a folder, or its folder is not there
    :raises FileLocked: a VM uses it
    """
    files = simulator.files
    if files.has_folder(store.id, path) or not files.has_folder(store.id, path.rpartition("/")[0]):
        raise vim.fault.FileNotFound(file=full_name(store, path))
    check_unused(simulator, full_name(store, path))
    return files.find(store.id, path)


def _replace(simulator: "Simulator", store: Object, path: str, old: File | None, new: File) -> None:
    free = simulator.files.free(store.id) + (0 if old is None else old.size_bytes)
    if new.size_bytes > free:
        raise vim.fault.NoDiskSpace(file=full_name(store, path), datastore=store["name"])
    if old is not None:
        simulator.files.remove(store.id, path)
    simulator.files.add(store.id, path, new)


def _fail(handler: "Handler", fault: vmodl.MethodFault) -> None:
    status = next((own for kind, own in _STATUS.items() if isinstance(fault, kind)), 404)
    handler.close_connection = True  # its body was not read
    headers = {"WWW-Authenticate": 'Basic realm="VMware HTTP server"'} if status == 401 else None
    handler.send(status, b"", headers=headers)
