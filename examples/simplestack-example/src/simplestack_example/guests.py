"""Hooks of the lab's machines: what they are, and their power."""

from simplestack import MIB, EntityNotFound, Guest, GuestState, InvalidState, hookimpl
from simplestack_example.lab import Lab, LabError, Machine


@hookimpl
def guest_list(session: Lab) -> list[Guest]:
    """List all machines."""
    return [_guest(session, machine) for machine in session.machines().values()]


@hookimpl
def guest_info(session: Lab, guest_id: str) -> Guest:
    """Show one machine."""
    return _guest(session, _machine(session, guest_id))


@hookimpl
def guest_start(session: Lab, guest_id: str) -> None:
    """Switch a machine on."""
    machine = _machine(session, guest_id)
    try:
        session.power_on(machine)
    except LabError as error:
        if error.code == "ALREADY_ON":
            raise InvalidState(
                f"start guest {machine.name!r}", current="STARTED", needed="STOPPED"
            ) from error
        raise


@hookimpl
def guest_shutdown(session: Lab, guest_id: str) -> None:
    """Switch a machine off. The lab's machines have no operating system that could be asked first."""
    machine = _machine(session, guest_id)
    try:
        session.power_off(machine)
    except LabError as error:
        if error.code == "ALREADY_OFF":
            raise InvalidState(
                f"shut down guest {machine.name!r}", current="STOPPED", needed="STARTED"
            ) from error
        raise


def _machine(session: Lab, guest_id: str) -> Machine:
    """Look an id up among those there are. It comes from a client: it never becomes part of a path."""
    machine = session.machines().get(guest_id)
    if machine is None:
        raise EntityNotFound("Guest", guest_id)
    return machine


def _guest(session: Lab, machine: Machine) -> Guest:
    return Guest(
        id=machine.uuid,
        name=machine.name,
        cpus=1,
        memory=machine.memory_bytes // MIB,
        hdd=0,
        state=GuestState.STARTED if machine.is_on else GuestState.STOPPED,
        host=session.address if machine.is_on else None,
    )
