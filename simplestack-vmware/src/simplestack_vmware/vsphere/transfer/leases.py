"""Leases: a while in which the files of a VM can be fetched or sent."""

import contextlib
import logging
import math
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, Self
from xml.etree.ElementTree import Element

from simplestack import HypervisorError, HypervisorTimeout, SimplestackError, time_left_seconds
from simplestack_vmware.vsphere.connection.faults import Fault, child, local_name, localized_fault, text_of
from simplestack_vmware.vsphere.connection.limits import undoing
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.tasks.watching import Gone, Values

_log = logging.getLogger(__name__)

#: A lease is renewed this often before it would expire: each minute, as vSphere's expire after five.
_RENEWALS = 5
_SETTLED = ("ready", "error")


class LeaseFile(NamedTuple):
    """A file of a lease."""

    #: Which device it is of, as vSphere names it in the lease and in descriptors.
    key: str
    import_key: str
    url: str
    thumbprint: str
    is_disk: bool


class Lease:
    """A lease that is held: a thread renews it until it is completed or aborted.

    If nobody renews a lease of an import, vSphere removes the VM with it.
    """

    def __init__(self, session: VmwareSession, ref: Ref) -> None:
        self._session = session
        self._ref = ref
        self._handle: Any = session.api.object(ref)
        self._is_over = threading.Event()
        self._is_complete = False
        self.files: list[LeaseFile] = []
        self.vm: Ref | None = None
        #: How much has been transferred, for people who look at the task.
        self.percent = 0

    @classmethod
    def begin(cls, session: VmwareSession, method: Callable[..., Any], *arguments: Any) -> Self:
        """Call a method that returns a lease, and wait until it is ready.

        :param method: ``vm.ExportVm`` or ``pool.ImportVApp``; the further arguments are its own
        :raises Fault: vSphere rejects it
        :raises HypervisorTimeout: it takes too long
        """
        lease = cls(session, Ref("HttpNfcLease", method(*arguments)._GetMoId()))  # noqa: SLF001  public in pyvmomi, in spite of its name
        try:
            lease._start(session.api.last_method)
        except BaseException:
            lease.abort()
            raise
        return lease

    def complete(self) -> None:
        """End the lease: what was imported stays.

        :raises Fault: it has ended meanwhile
        """
        self._is_over.set()
        self._handle.HttpNfcLeaseComplete()
        self._is_complete = True

    def abort(self) -> bool:
        """End the lease, if it is not complete: what was imported is removed.

        :return: whether this has ended it; it may have ended before, or goes on until it expires
        """
        if self._is_complete:
            return False
        self._is_over.set()
        try:
            with undoing():
                self._handle.HttpNfcLeaseAbort(None)
        except Fault as fault:  # it has ended: it took its VM along, or is complete and the response was lost
            _log.info("a lease was not aborted: %s", fault)
        except SimplestackError as error:
            _log.warning("a lease cannot be aborted, and ends when it expires: %s", error)
        else:
            return True
        return False

    def sizes(self) -> dict[str, int]:
        """Return how much the host says that it has sent of each file, by key."""
        return {entry.key: entry.size for entry in self._handle.HttpNfcLeaseGetManifest()}

    def failure(self) -> Fault | None:
        """Return why the lease has ended, or None if it has not."""
        values = self._settled(self._session.api.limit_seconds)
        error = values.get((self._ref.value, "error"))
        return None if error is None else localized_fault(error)

    def _start(self, what: str) -> None:
        left = time_left_seconds()
        limit_seconds = self._session.api.limit_seconds if math.isinf(left) else max(0.0, left)
        values = self._settled(limit_seconds)
        state = _text(values.get((self._ref.value, "state")))
        info = values.get((self._ref.value, "info"))
        if state == "error":
            _raise(values.get((self._ref.value, "error")), what)
        if state != "ready" or info is None:
            raise HypervisorTimeout(f"{what} was not ready within {limit_seconds:.3g} s")
        self.files = [_file(each) for each in info if local_name(each) == "deviceUrl"]
        entity = child(info, "entity")
        if entity is not None:
            self.vm = Ref(entity.get("type", ""), entity.text or "")
        seconds = float(text_of(info, "leaseTimeout")) / _RENEWALS
        threading.Thread(target=self._renew, args=(seconds,), name="vmware-lease", daemon=True).start()

    def _settled(self, limit_seconds: float) -> Values:
        """Return the lease's properties when it is ready or has failed, or at the time limit."""
        values: Values = {}
        changes = self._session.tasks.watcher.changes({self._ref: ("state", "error", "info")}, limit_seconds)
        try:
            with contextlib.closing(changes):
                for values in changes:
                    if _text(values.get((self._ref.value, "state"))) in _SETTLED:
                        break
        except Gone:
            raise HypervisorError("vSphere no longer has the lease of the transfer") from None
        return values

    def _renew(self, seconds: float) -> None:
        while not self._is_over.wait(seconds):
            try:
                self._handle.HttpNfcLeaseProgress(self.percent)
            except Fault as fault:  # the transfer fails
                if not self._is_over.is_set():
                    _log.warning("a lease has ended: %s", fault)
                return
            except SimplestackError as error:  # there is time to try again
                _log.warning("a lease was not renewed: %s", error)


def _file(element: Element) -> LeaseFile:
    return LeaseFile(
        key=text_of(element, "key"),
        import_key=text_of(element, "importKey"),
        url=text_of(element, "url"),
        thumbprint=text_of(element, "sslThumbprint"),
        is_disk=text_of(element, "disk") in ("true", "1"),
    )


def _text(element: Element | None) -> str:
    return "" if element is None else element.text or ""


def _raise(error: Element | None, what: str) -> NoReturn:
    raise Fault("MethodFault", f"{what} failed") if error is None else localized_fault(error)
