"""Which hosts can run a VM: those that take guests and are connected to all storages of its disks."""

from collections.abc import Iterator

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure


def possible_hosts(database: Database, vm: Object) -> list[str]:
    """Return the hosts that can run a VM."""
    needed = list(_storages(database, vm))
    return [
        host.ref
        for host in database.all("host")
        if host["enabled"] and all(is_connected(database, host.ref, storage) for storage in needed)
    ]


def check_host(database: Database, vm: Object, ref: str) -> None:
    """Check that a host can run a VM.

    :raises Failure: HOST_DISABLED or VM_REQUIRES_SR
    """
    if not database.get("host", ref)["enabled"]:
        raise Failure("HOST_DISABLED", ref)
    for storage in _storages(database, vm):
        if not is_connected(database, ref, storage):
            raise Failure("VM_REQUIRES_SR", vm.ref, storage.ref)


def is_connected(database: Database, host: str, storage: Object) -> bool:
    """Tell whether a storage is plugged into a host."""
    plugs = [database.get("PBD", ref) for ref in storage["PBDs"]]
    return any(plug["currently_attached"] and plug["host"] == host for plug in plugs)


def _storages(database: Database, vm: Object) -> Iterator[Object]:
    for ref in vm["VBDs"]:
        disk = database.find("VDI", database.get("VBD", ref)["VDI"])
        if disk is not None:
            yield database.get("SR", disk["SR"])
