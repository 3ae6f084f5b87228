"""Mark what an operation creates, until it is complete."""

import contextlib
import datetime as dt
import logging
import secrets
from collections.abc import Iterator

import msgspec

from simplestack import SimplestackError
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.drives import Drive, drives
from simplestack_xen.xapi.marks import PREFIX, Mark, marks_in
from simplestack_xen.xapi.records import VdiRecord, VmRecord
from simplestack_xen.xapi.session import XenSession

_log = logging.getLogger(__name__)


class Making:
    """The marks of one operation. They stay until `finish`; what is removed takes its marks with it."""

    def __init__(self, session: XenSession) -> None:
        self._session = session
        self._since = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self._key = PREFIX + secrets.token_hex(8)
        self._marked: list[tuple[str, str, str]] = []

    def marks(self, name: str) -> dict[str, str]:
        """Return the ``other_config`` of a new object that is no copy."""
        return {self._key: self._text(name)}

    def created(self, class_name: str, ref: str) -> None:
        """Take over an object that was created with `marks`."""
        self._marked.append((class_name, ref, self._key))

    def attaching(self, image: str, name: str) -> None:
        """Note that a disk image that was created with `marks` is given to a VM next."""
        text = self._text(name, is_attached=True)
        self._session.xenapi.VDI.set_other_config(image, {self._key: text})

    @contextlib.contextmanager
    def copying(self, class_name: str, ref: str, source: VmRecord | VdiRecord, name: str) -> Iterator[None]:
        """Mark copies that XAPI makes of an object in the block.

        :param name: name of the copy
        """
        text = self._text(name, source.uuid)
        try:
            getattr(self._session.xenapi, class_name).add_to_other_config(ref, self._key, text)
        except XenAPI.Failure as failure:
            if failure.details[0] != "RBAC_PERMISSION_DENIED":
                raise
            yield  # a user who may copy an object, but not change it
            return
        try:
            yield
        finally:
            try:
                self._unmark(class_name, ref, self._key)
            except (XenAPI.Failure, SimplestackError) as error:  # it means nothing on the original
                _log.warning("a mark stays on a %s until leftovers are removed: %s", class_name, error)

    @contextlib.contextmanager
    def copying_vm(self, ref: str, source: VmRecord, name: str) -> Iterator[None]:
        """Mark copies that XAPI makes of a VM and of its disks in the block."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.copying("VM", ref, source, name))
            for drive in drives(self._session, source):
                image = drive.image
                stack.enter_context(self.copying("VDI", drive.record.VDI, image, image.name_label))
            yield

    def own(self, class_name: str, ref: str, record: VmRecord | VdiRecord) -> None:
        """Take over an object that the operation has created, with the marks that it has or lacks."""
        if self._key not in record.other_config:
            text = self._text(record.name_label, is_attached=True)
            getattr(self._session.xenapi, class_name).add_to_other_config(ref, self._key, text)
        self._marked += [(class_name, ref, key) for key in {self._key, *marks_in(record.other_config)}]

    def own_vm(self, ref: str) -> list[Drive]:
        """Take over a VM and its disks. Return its drives."""
        vm = self._session.api.read(VmRecord, "VM.get_record", ref)
        self.own("VM", ref, vm)
        own = drives(self._session, vm)
        for drive in own:
            self.own("VDI", drive.record.VDI, drive.image)
        return own

    def disown(self, ref: str) -> None:
        """Forget an object that was taken over and destroyed."""
        self._marked = [marked for marked in self._marked if marked[1] != ref]

    def finish(self) -> None:
        """Remove all marks: the objects are complete.

        :raises XenAPI.Failure: XAPI rejects that: what stays marked would be removed one day
        """
        # The VM is last: a worker that is killed before leaves a guest that still has its mark.
        for class_name, ref, key in dict.fromkeys(reversed(self._marked)):
            self._unmark(class_name, ref, key)

    def _unmark(self, class_name: str, ref: str, key: str) -> None:
        getattr(self._session.xenapi, class_name).remove_from_other_config(ref, key)

    def _text(self, name: str, source: str = "", *, is_attached: bool = False) -> str:
        mark = Mark(since=self._since, source=source, name=name, is_attached=is_attached)
        return msgspec.json.encode(mark).decode()


def remove_marks(session: XenSession, ref: str, vm: VmRecord) -> None:
    """Remove the marks that a complete VM has from the VM that it was cloned or exported from."""
    for key in marks_in(vm.other_config):
        session.xenapi.VM.remove_from_other_config(ref, key)
