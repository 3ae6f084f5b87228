"""When a device of a VM can be plugged in or out: the rules that drives and interfaces share."""

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.guests import lacks_drivers
from simulators.xapi.lifecycle import RUNNING, bad_state

#: While one of these is under way, the VM's devices stay as they are.
_IN_THE_WAY = frozenset({"clean_shutdown", "hard_shutdown", "suspend", "pause"})


def check_plug(database: Database, device: Object, *, attached: bool) -> None:
    """Check that a device can be plugged in or unplugged.

    :param attached: whether it is to be plugged in
    :raises Failure: it cannot
    """
    vm = database.get("VM", device["VM"])
    if vm["power_state"] != RUNNING:
        raise bad_state(vm, RUNNING)
    if device["currently_attached"] == attached:
        raise Failure("DEVICE_ALREADY_ATTACHED" if attached else "DEVICE_ALREADY_DETACHED", device.ref)
    for operation in sorted(_IN_THE_WAY.intersection(vm["current_operations"].values())):
        raise Failure("OPERATION_NOT_ALLOWED", f"Current operation on VM:{vm.ref} is {operation}")
    if lacks_drivers(database, vm):
        raise Failure("VM_MISSING_PV_DRIVERS", vm.ref)
