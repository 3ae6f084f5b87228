"""When a device of a VM can be plugged in or out: the rules that drives and interfaces share."""

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.lifecycle import PAUSED, RUNNING, bad_state


def check_plug(database: Database, device: Object, *, attached: bool) -> None:
    """Pass a device that can be plugged in, or out.

    :param attached: what it is to be
    :raises Failure: it cannot
    """
    vm = database.get("VM", device["VM"])
    if vm["power_state"] not in (RUNNING, PAUSED):
        raise bad_state(vm, RUNNING, PAUSED)
    if device["currently_attached"] == attached:
        raise Failure("DEVICE_ALREADY_ATTACHED" if attached else "DEVICE_ALREADY_DETACHED", device.ref)
