"""Remove what operations leave in a pool whose worker was killed: unfinished guests, disk images, tasks.

Only what is provably a leftover is removed: it has a mark of ours that means this very object, older than
any operation may take; it still has the name that the operation gave it; nothing was done with it since. All
else is kept, and its old mark is removed.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Iterable, Mapping

from simplestack import HypervisorError, SimplestackError
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.marks import Mark, marks_in
from simplestack_xen.xapi.messages import Messages
from simplestack_xen.xapi.records import (
    PoolRecord,
    TaskRecord,
    VbdRecord,
    VdiRecord,
    VmMetricsRecord,
    VmRecord,
    as_time,
)
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.tasks import BY_SIMPLESTACK

_log = logging.getLogger(__name__)

#: More than the maximum of `long_call_timeout_seconds`, 24 hours, which any worker of any service may have.
_LONGEST = dt.timedelta(hours=25)
#: How often a worker looks through a pool.
_PAUSE_SECONDS = 3600
#: How long a request waits for all removals together.
_REMOVAL_SECONDS = 30

_lock = threading.Lock()
_looked: dict[str, float] = {}


def remove_leftovers_if_due(session: XenSession) -> None:
    """Remove leftovers, unless this worker has looked for them in the last hour. Errors are logged."""
    with _lock:
        last = _looked.get(str(session.target))
        if last is not None and time.monotonic() - last < _PAUSE_SECONDS:
            return
        _looked[str(session.target)] = time.monotonic()
    try:
        remove_leftovers(session)
    except (XenAPI.Failure, SimplestackError) as error:
        _log.warning("cannot look for leftovers in the pool of %s: %s", session.target, error)


def remove_leftovers(session: XenSession) -> None:
    """Remove the leftovers of a pool.

    Marks have the time of a worker's clock. A mark is old if it is so by this worker's clock and the host's.
    """
    end_seconds = time.monotonic() + _REMOVAL_SECONDS
    host_time = _host_time(session)
    oldest = min(dt.datetime.now(dt.UTC), host_time) - _LONGEST
    images = session.api.read_all(VdiRecord, "VDI")
    unfinished = set()
    for ref, vm in session.api.read_all(VmRecord, "VM").items():
        old = _old_marks(vm, oldest)
        if not old:
            continue
        key = next((key for key, mark in old.items() if mark.is_of(vm)), None)
        disks = _disks(session, vm)
        if (
            key is not None
            and _is_untouched(session, vm, old[key])
            and all(_is_owned(images.get(disk), vm, key) for disk in disks)
        ):
            unfinished.update(vm.VBDs)
            _remove_vm(session, ref, vm, disks, end_seconds)
        else:
            _unmark(session.xenapi.VM, ref, old)
    for ref, image in images.items():
        old = _old_marks(image, oldest)
        if not old or unfinished.intersection(image.VBDs):
            continue
        own = [mark for mark in old.values() if mark.is_of(image)]
        if image.is_a_snapshot or image.VBDs or not own:
            _unmark(session.xenapi.VDI, ref, old)
        elif any(not mark.source and not mark.is_attached for mark in own):
            _remove_image(session, ref, end_seconds)
        else:  # or a copy that somebody else made of the original at that time, or a disk that was used since
            _log.warning("disk image %r (%s) may be an unfinished copy", image.name_label, image.uuid)
    _end_tasks(session, host_time)


def _old_marks(record: VmRecord | VdiRecord, oldest: dt.datetime) -> dict[str, Mark]:
    return {key: mark for key, mark in marks_in(record.other_config).items() if mark.since < oldest}


def _is_untouched(session: XenSession, vm: VmRecord, mark: Mark) -> bool:
    """Return whether a VM is as the operation left it: stopped, never started, without snapshots.

    A copy has the time when its original was started last. That must be long before the mark, because the
    clocks of the host and of the worker may differ. A guest that somebody made a template has no such time.
    """
    if vm.is_a_snapshot or vm.is_control_domain:
        return False
    if vm.power_state != "Halted" or vm.snapshots or vm.current_operations:
        return False
    metrics = session.api.read_if_there(VmMetricsRecord, "VM_metrics", vm.metrics)
    started = None if metrics is None else as_time(metrics.start_time)
    return started is not None and started + _LONGEST < mark.since


def _is_owned(image: VdiRecord | None, vm: VmRecord, key: str) -> bool:
    """Return whether a disk of a VM is marked by the same operation, and is that VM's alone."""
    return image is not None and key in image.other_config and set(image.VBDs) <= set(vm.VBDs)


def _remove_vm(session: XenSession, ref: str, vm: VmRecord, disks: Iterable[str], end_seconds: float) -> None:
    """Destroy an unfinished VM, then its disks."""
    if _try("guest", vm.name_label, vm.uuid, session.tasks.run.VM.destroy, ref, end_seconds=end_seconds):
        # Without the VM nothing tells whose they are, so they have time of their own.
        end_seconds = time.monotonic() + _REMOVAL_SECONDS
        for disk in disks:
            _remove_image(session, disk, end_seconds)


def _remove_image(session: XenSession, ref: str, end_seconds: float) -> None:
    """Destroy a disk image, unless a VM was given it since it was listed."""
    image = session.api.read_if_there(VdiRecord, "VDI", ref)
    if image is not None and not image.VBDs:
        destroy = session.tasks.run.VDI.destroy
        _try("disk image", image.name_label, image.uuid, destroy, ref, end_seconds=end_seconds)


def _disks(session: XenSession, vm: VmRecord) -> set[str]:
    vbds = session.api.read_some(VbdRecord, "VBD", vm.VBDs)
    return {vbd.VDI for vbd in vbds.values() if vbd.holds_disk}


def _end_tasks(session: XenSession, now: dt.datetime) -> None:
    """End tasks of imports and exports that nobody waits for.

    :param now: by the host's clock, as the times of tasks
    """
    for ref, task in session.api.read_all(TaskRecord, "task").items():
        if task.name_description != BY_SIMPLESTACK or not task.is_pending:
            continue
        created = as_time(task.created)
        if created is not None and now - created > _LONGEST:
            _log.warning("task %r (%s) is a leftover: it is ended", task.name_label, task.uuid)
            session.tasks.dismiss(ref)


def _host_time(session: XenSession) -> dt.datetime:
    """Return the time by the clock of the pool master.

    :raises HypervisorError: XAPI does not tell it
    """
    for pool in session.api.read_all(PoolRecord, "pool").values():
        now = as_time(session.api.read(str, "host.get_servertime", pool.master))
        if now is not None:
            return now
    raise HypervisorError("XAPI does not tell the time of its host")


def _unmark(messages: Messages, ref: str, marks: Mapping[str, Mark]) -> None:
    for key in marks:
        messages.remove_from_other_config(ref, key)


def _try(what: str, name: str, uuid: str, destroy: Messages, ref: str, *, end_seconds: float) -> bool:
    """Destroy a leftover, if there is time; return whether that succeeded."""
    left_seconds = end_seconds - time.monotonic()
    if left_seconds <= 0:
        _log.warning("%s %r (%s) is a leftover: it is removed when there is time", what, name, uuid)
        return False
    _log.warning("%s %r (%s) is a leftover of an operation that was killed: it is removed", what, name, uuid)
    try:
        destroy(ref, limit_seconds=left_seconds)
    except (XenAPI.Failure, SimplestackError) as error:
        _log.warning("%s %r (%s) cannot be removed: %s", what, name, uuid, error)
        return False
    return True
