"""Power states: what each needs, and what it makes of a guest."""

from msgspec.structs import replace

from simplestack import GuestState, InvalidState, require_state
from simplestack.mock.store.changes import Change
from simplestack.mock.store.contents import written_content
from simplestack.mock.store.records import GuestRecord, Hardware


def require_guest_state(guest: GuestRecord, attempt: str, *needed: GuestState) -> None:
    """Check that a guest is in one of the states that an operation needs.

    :param attempt: what was tried with it, such as ``start``
    :raises InvalidState: it is in another state
    """
    require_state(guest.state, *needed, attempt=f"{attempt} guest {guest.name!r}")


def started(change: Change, guest: GuestRecord) -> GuestRecord:
    """Return a stopped guest as it runs.

    :raises InvalidState: it is not stopped, or it is a template
    :raises HypervisorError: no host has the memory
    """
    require_guest_state(guest, "start", GuestState.STOPPED)
    if guest.template:
        raise InvalidState.of_template(f"start guest {guest.name!r}")
    return booted(change, guest)


def booted(change: Change, guest: GuestRecord) -> GuestRecord:
    """Return a guest as it runs after a boot, in which it writes to its first disk.

    :raises HypervisorError: no host has the memory
    """
    hardware = guest.hardware
    host = change.host_for(guest, hardware.memory_mib)
    if hardware.disks:
        first, *others = hardware.disks
        content = written_content(first.content, change.settings.content_bytes, first.size_bytes)
        hardware = replace(hardware, disks=(replace(first, content=content), *others))
    return replace(guest, state=GuestState.STARTED, host=host, hardware=hardware)


def restored(change: Change, guest: GuestRecord, hardware: Hardware, state: GuestState) -> GuestRecord:
    """Return a guest as it was: with the hardware and in the state of then.

    :raises InvalidState: it is a template by now, and was not stopped then
    :raises HypervisorError: no host has the memory
    """
    host = None if state is GuestState.STOPPED else change.host_for(guest, hardware.memory_mib)
    if guest.template and host is not None:
        raise InvalidState.of_template(
            f"restore guest {guest.name!r} as it was {state}",
            "a guest again (update it with `template` false)",
        )
    return replace(guest, hardware=hardware, state=state, host=host)


def stopped(guest: GuestRecord) -> GuestRecord:
    """Return a guest as it is when the power is off."""
    return replace(guest, state=GuestState.STOPPED, host=None)
