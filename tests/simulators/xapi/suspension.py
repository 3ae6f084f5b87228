"""Suspend images: where the memory of a suspended VM lies, as a disk image of its own."""

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.placement import is_connected
from simulators.xapi.storage import Storage
from simulators.xapi.types import NULL


class SuspendImages:
    """Makes and removes them."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    def make(self, vm: Object) -> None:
        """Write the memory of a VM that has a domain.

        :raises Failure: VM_NO_SUSPEND_SR, or the storage's
        """
        made = self._storage.create_disk(
            {
                "name_label": "Suspend image",
                "name_description": "Suspend image",
                "SR": self._storage_for(vm),
                "virtual_size": vm["memory_static_max"],
                "type": "suspend",
                "sharable": False,
                "read_only": False,
            }
        )
        vm["suspend_VDI"] = made.ref

    def destroy(self, vm: Object) -> None:
        """Delete a VM's image, where it has one."""
        if self._database.find("VDI", vm["suspend_VDI"]) is not None:
            self._storage.destroy_disk(vm["suspend_VDI"])
        vm["suspend_VDI"] = NULL

    def copy(self, vm: Object) -> str:
        """Return a copy of a VM's image; the null reference where it has none."""
        image = self._database.find("VDI", vm["suspend_VDI"])
        return NULL if image is None else self._storage.copy_disk(image).ref

    def _storage_for(self, vm: Object) -> str:
        """Return the VM's own storage for it, the pool's or the host's, whichever its host can reach."""
        (pool,) = self._database.all("pool")
        host = self._database.get("host", vm["resident_on"])
        for ref in (vm["suspend_SR"], pool["suspend_image_SR"], host["suspend_image_sr"]):
            found = self._database.find("SR", ref)
            if found is not None and is_connected(self._database, host.ref, found):
                return found.ref
        raise Failure("VM_NO_SUSPEND_SR", vm.ref)
