"""NFC leases: a while in which the files of a VM can be fetched or sent, at an address of their own."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyVmomi import vim, vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.database import Object
from simulators.vsphere.files import File
from simulators.vsphere.vmdk import GRAIN_BYTES, Content

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

State = vim.HttpNfcLease.State
#: vSphere's.
_SECONDS = 300
#: How many leases that have ended are kept.
_MAX_ENDED = 100


@dataclass
class LeaseFile:
    """A file that a lease is for."""

    #: ``/vm-1/ParaVirtualSCSIController0:0``.
    key: str
    import_key: str
    #: The last part of its URL.
    name: str
    #: What it is in the datastore: all of a disk's chain, the newest first.
    chain: list[File]
    is_disk: bool
    #: The datastore's ID and the path in it.
    place: tuple[str, str]
    #: Once it has been transferred.
    manifest: Any = None


@dataclass
class Lease:
    """A lease, besides the properties that clients see."""

    object: Object
    vm: Object
    is_import: bool
    files: list[LeaseFile]
    ticket: str = field(default_factory=lambda: str(uuid.uuid4()))
    #: Removes what was imported.
    undo: Callable[[], None] = lambda: None
    #: By `time.monotonic`.
    deadline: float = 0.0
    has_expired: bool = False

    @property
    def privilege(self) -> str:
        """What its methods need."""
        return "VApp.Import" if self.is_import else "VApp.Export"

    @property
    def is_held(self) -> bool:
        """Whether it has not ended."""
        return self.object["state"] in (State.initializing, State.ready)

    def let_go(self) -> None:
        """Let a disk that is deleted leave the memory: leases are kept for a while after their end."""
        self.files = []
        self.undo = lambda: None


@dataclass(frozen=True)
class Address:
    """Where the files are."""

    #: ``https://127.0.0.1:8443``; the host may be ``*``, which is the one that the client is connected to.
    url: str
    thumbprint: str


class Leases:
    """The leases of a server. Whoever uses them holds the database's lock, if it does not say otherwise."""

    def __init__(self, simulator: "Simulator") -> None:
        """Begin without any."""
        #: How long a lease is held without news from its client.
        self.seconds: float = _SECONDS
        #: None if the simulator has no server for them.
        self.address: Address | None = None
        self._simulator = simulator
        self._leases: dict[str, Lease] = {}

    def start(
        self, call: Call, vm: Object, files: list[LeaseFile], undo: Callable[[], None] | None = None
    ) -> Any:
        """Begin a lease, which holds the VM, and return its reference.

        :param undo: of an import: removes the VM and its files
        :raises TaskInProgress: the VM is busy
        """
        busy = self._simulator.tasks.busy_with(vm)
        if busy is not None:
            raise vim.fault.TaskInProgress(task=busy.ref)
        lease = self._add(call, vm, files, is_import=undo is not None)
        if undo is not None:
            lease.undo = undo
        # What runs while the lease is held is a task, in vCenter too.
        held = call.method._replace(faults=(*call.method.faults, vim.fault.TaskInProgress))
        self._simulator.tasks.start(
            held, vm, call.session, lambda _running: self._hold(lease), is_cancelable=False
        )
        return lease.object.ref

    def refuse(self, call: Call, fault: Any) -> Any:
        """Begin the lease of an import that has failed already, and return its reference."""
        lease = self._add(call, call.target, [], is_import=True)
        lease.object["error"] = fault
        lease.object["state"] = State.error
        return lease.object.ref

    def _add(self, call: Call, vm: Object, files: list[LeaseFile], *, is_import: bool) -> Lease:
        self._forget_old()
        identity = f"session[{uuid.uuid4()}]{uuid.uuid4()}"
        made = call.database.add(
            vim.HttpNfcLease,
            identity,
            initializeProgress=0,
            transferProgress=0,
            mode="pushOrGet",
            capabilities=vim.HttpNfcLease.Capabilities(pullModeSupported=False, corsSupported=False),
            state=State.initializing,
        )
        lease = self._leases[identity] = Lease(made, vm, is_import, files)
        return lease

    def get(self, found: Object) -> Lease:
        """Return the lease of an object."""
        return self._leases[found.id]

    def find(self, ticket: str, name: str) -> tuple[Lease, LeaseFile] | None:
        """Return the lease and the file of a URL, if it is valid now."""
        for lease in self._leases.values():
            if lease.ticket == ticket and lease.object["state"] == State.ready:
                return next(((lease, file) for file in lease.files if file.name == name), None)
        return None

    def renew(self, lease: Lease) -> None:
        """Hold a lease for longer."""
        lease.deadline = time.monotonic() + self.seconds

    def store(self, lease: Lease, file: LeaseFile, content: Content) -> bool:
        """Let a disk have what was sent; return False, and end the lease, if that is not possible."""
        disk = file.chain[0]
        if content.capacity_bytes > disk.capacity_bytes:
            self.fail(lease, vmodl.fault.SystemError(reason="The disk that was sent is too large."))
            return False
        if disk.is_thin:
            try:
                self._simulator.files.resize(*file.place, len(content.grains) * GRAIN_BYTES)
            except vim.fault.NoDiskSpace as fault:
                self.fail(lease, fault)
                return False
        disk.grains = content.grains
        return True

    def store_settings(self, lease: Lease, file: LeaseFile, content: bytes) -> bool:
        """Let the firmware's file have what was sent, as `store`."""
        try:
            self._simulator.files.resize(*file.place, len(content))
        except vim.fault.NoDiskSpace as fault:
            self.fail(lease, fault)
            return False
        file.chain[0].content = content
        return True

    def complete(self, lease: Lease) -> None:
        """End a lease; what was imported stays."""
        self._end(lease)
        lease.object["state"] = State.done
        lease.let_go()

    def fail(self, lease: Lease, fault: Any) -> None:
        """End a lease; the VM that was imported ends with it, and its files."""
        self._end(lease)
        lease.undo()
        lease.object["error"] = fault
        lease.object["state"] = State.error
        lease.let_go()

    def held(self) -> list[dict[str, str]]:
        """Return the leases that have not ended: their VM, state and direction."""
        return [
            {
                "vm": lease.vm["name"],
                "state": str(lease.object["state"]),
                "direction": "import" if lease.is_import else "export",
            }
            for lease in self._leases.values()
            if lease.is_held
        ]

    def _hold(self, lease: Lease) -> None:
        changes = lease.object.database.changes
        if lease.is_held:
            lease.object["info"] = self._info(lease)
            lease.object["initializeProgress"] = 100
            self.renew(lease)
            lease.object["state"] = State.ready
        while lease.is_held:
            left = lease.deadline - time.monotonic()
            if left <= 0:
                lease.has_expired = True
                self.fail(lease, vim.fault.Timedout())
            else:
                changes.wait(left)
        if lease.object["state"] == State.error:
            raise vmodl.fault.RequestCanceled

    def _info(self, lease: Lease) -> Any:
        address = self.address
        if address is None:
            raise AssertionError("there is no server for leases")
        urls = [
            vim.HttpNfcLease.DeviceUrl(
                key=file.key,
                importKey=file.import_key,
                url=f"{address.url}/nfc/{lease.ticket}/{file.name}",
                sslThumbprint=address.thumbprint,
                disk=file.is_disk,
                # Leases of imports have none of these for what is no disk.
                targetId=None if is_new else file.name,
                datastoreKey=None if is_new else file.place[0],
                fileSize=None if is_new or file.is_disk else file.chain[0].size_bytes,
            )
            for file in lease.files
            for is_new in [lease.is_import and not file.is_disk]
        ]
        capacity = sum(file.chain[0].capacity_bytes for file in lease.files if file.is_disk)
        return vim.HttpNfcLease.Info(
            lease=lease.object.ref,
            entity=lease.vm.ref,
            deviceUrl=urls,
            totalDiskCapacityInKB=capacity // 1_024,
            leaseTimeout=max(1, round(self.seconds)),
        )

    def _end(self, lease: Lease) -> None:
        self._simulator.tasks.release(lease.vm)

    def _forget_old(self) -> None:
        ended = [identity for identity, lease in self._leases.items() if not lease.is_held]
        for identity in ended[:-_MAX_ENDED]:
            lease = self._leases.pop(identity)
            lease.object.database.remove(lease.object)
