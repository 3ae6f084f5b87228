from collections.abc import Callable

import pytest

from simplestack import (
    EntityNotFound,
    Guest,
    GuestState,
    GuestUpdate,
    HypervisorError,
    InvalidState,
    NetworkInterfaceUpdate,
)
from simplestack.mock import MockSession
from simplestack.mock.hooks import guests, guests_update, interfaces, power

Action = Callable[[MockSession, str], None]


def stop(session: MockSession, guest_id: str) -> None:
    power.guest_shutdown(session, guest_id, False)


def cut(session: MockSession, guest_id: str) -> None:
    power.guest_shutdown(session, guest_id, True)


def reach(session: MockSession, guest_id: str, state: GuestState) -> None:
    """Bring a stopped guest into a state."""
    if state is not GuestState.STOPPED:
        power.guest_start(session, guest_id)
    if state is GuestState.PAUSED:
        power.guest_suspend(session, guest_id)


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        (power.guest_start, GuestState.STOPPED, GuestState.STARTED),
        (stop, GuestState.STARTED, GuestState.STOPPED),
        (cut, GuestState.STARTED, GuestState.STOPPED),
        (cut, GuestState.PAUSED, GuestState.STOPPED),
        (power.guest_suspend, GuestState.STARTED, GuestState.PAUSED),
        (power.guest_resume, GuestState.PAUSED, GuestState.STARTED),
        (power.guest_reboot, GuestState.STARTED, GuestState.STARTED),
    ],
)
def test_an_action_leads_from_state_to_state(
    session: MockSession, stopped: Guest, action: Action, before: GuestState, after: GuestState
) -> None:
    reach(session, stopped.id, before)
    action(session, stopped.id)
    assert guests.guest_info(session, stopped.id).state is after


@pytest.mark.parametrize(
    ("action", "current", "needed"),
    [
        (power.guest_start, GuestState.STARTED, "STOPPED"),
        (power.guest_start, GuestState.PAUSED, "STOPPED"),
        (stop, GuestState.STOPPED, "STARTED"),
        (stop, GuestState.PAUSED, "STARTED"),
        (cut, GuestState.STOPPED, "STARTED or PAUSED"),
        (power.guest_suspend, GuestState.STOPPED, "STARTED"),
        (power.guest_suspend, GuestState.PAUSED, "STARTED"),
        (power.guest_resume, GuestState.STARTED, "PAUSED"),
        (power.guest_resume, GuestState.STOPPED, "PAUSED"),
        (power.guest_reboot, GuestState.STOPPED, "STARTED"),
        (power.guest_reboot, GuestState.PAUSED, "STARTED"),
    ],
)
def test_an_action_in_a_wrong_state_is_refused_and_says_which_is_needed(
    session: MockSession, stopped: Guest, action: Action, current: GuestState, needed: str
) -> None:
    reach(session, stopped.id, current)
    with pytest.raises(InvalidState) as caught:
        action(session, stopped.id)
    assert caught.value.details == {"current": current, "needed": needed}
    assert guests.guest_info(session, stopped.id).state is current


@pytest.mark.parametrize(
    "action", [power.guest_start, stop, cut, power.guest_suspend, power.guest_resume, power.guest_reboot]
)
def test_power_of_an_unknown_guest_is_not_found(session: MockSession, action: Action) -> None:
    with pytest.raises(EntityNotFound, match="Guest:nobody"):
        action(session, "nobody")


def test_a_guest_has_an_address_and_a_host_while_it_runs_only(session: MockSession, stopped: Guest) -> None:
    power.guest_start(session, stopped.id)
    up = guests.guest_info(session, stopped.id)
    assert up.ip is not None
    assert up.host is not None
    stop(session, stopped.id)
    assert guests.guest_info(session, stopped.id) == stopped
    power.guest_start(session, stopped.id)
    assert guests.guest_info(session, stopped.id).ip == up.ip


def test_a_guest_whose_interfaces_are_all_off_has_no_address(session: MockSession, running: Guest) -> None:
    (interface,) = interfaces.network_interface_list(session, running.id)
    interfaces.network_interface_update(
        session, running.id, interface.id, NetworkInterfaceUpdate(active=False)
    )
    assert guests.guest_info(session, running.id).ip is None


def test_guests_go_to_the_host_with_most_memory_free(
    session: MockSession, running: Guest, stopped: Guest
) -> None:
    power.guest_start(session, stopped.id)
    assert guests.guest_info(session, stopped.id).host != running.host


def test_a_guest_larger_than_every_host_does_not_start_but_stays(
    session: MockSession, stopped: Guest
) -> None:
    large = guests_update.guest_update(session, stopped.id, GuestUpdate(memory=4 * 1024**2))
    with pytest.raises(HypervisorError, match="no host has 4194304 MiB") as caught:
        power.guest_start(session, stopped.id)
    assert caught.value.details == {"code": "HOST_NOT_ENOUGH_FREE_MEMORY"}
    assert guests.guest_info(session, stopped.id) == large


def test_a_guest_that_fills_its_host_can_be_rebooted(session: MockSession, stopped: Guest) -> None:
    guests_update.guest_update(session, stopped.id, GuestUpdate(memory=2 * 1024**2 - 4096))
    power.guest_start(session, stopped.id)
    up = guests.guest_info(session, stopped.id)
    power.guest_reboot(session, stopped.id)
    assert guests.guest_info(session, stopped.id) == up
