"""Power of guests that do not boot: what each state allows, and what a guest ignores."""

import libvirt
import msgspec
import pytest

from simplestack import EntityNotFound, GuestState, InvalidState, OperationTimeout
from simplestack_kvm.hooks.guests import guest_info, guest_list
from simplestack_kvm.hooks.power import guest_reboot, guest_resume, guest_shutdown, guest_start, guest_suspend
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.records import state_of_code

from .domains import foreign


def test_each_state_allows_what_it_should_and_names_what_it_needs(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        guest_id = domain.UUIDString()
        for refused in (guest_suspend, guest_resume):
            with pytest.raises(InvalidState, match="STOPPED"):
                refused(session, guest_id)
        for force in (False, True):
            with pytest.raises(InvalidState, match="STOPPED"):
                guest_shutdown(session, guest_id, force)
            with pytest.raises(InvalidState, match="STOPPED"):
                guest_reboot(session, guest_id, force)
        guest_start(session, guest_id)
        for refused in (guest_start, guest_resume):
            with pytest.raises(InvalidState, match="STARTED") as caught:
                refused(session, guest_id)
            assert caught.value.details["current"] == "STARTED"
        guest_suspend(session, guest_id)
        for refused in (guest_start, guest_suspend):
            with pytest.raises(InvalidState, match="PAUSED"):
                refused(session, guest_id)
        guest_resume(session, guest_id)
        assert guest_info(session, guest_id).state == GuestState.STARTED
        guest_reboot(session, guest_id, force=True)
        guest_suspend(session, guest_id)
        guest_shutdown(session, guest_id, force=True)
        assert guest_info(session, guest_id).state == GuestState.STOPPED


def test_a_guest_that_ignores_its_power_button_is_a_timeout_that_names_force_stop(
    session: KvmSession,
) -> None:
    patient = KvmSession(
        session.connection,
        msgspec.structs.replace(session.settings, shutdown_timeout_seconds=1),
        session.target,
    )
    with foreign(session.connection) as domain:
        domain.create()
        with pytest.raises(OperationTimeout, match="force_stop"):
            guest_shutdown(patient, domain.UUIDString(), force=False)
        assert guest_info(session, domain.UUIDString()).state == GuestState.STARTED


def test_a_guest_saved_to_disk_is_paused_and_resumes_or_is_stopped_by_force(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        guest_id = domain.UUIDString()
        domain.create()
        domain.managedSave()
        with pytest.raises(InvalidState, match="PAUSED"):
            guest_start(session, guest_id)
        guest_resume(session, guest_id)
        assert guest_info(session, guest_id).state == GuestState.STARTED
        domain.managedSave()
        guest_shutdown(session, guest_id, force=True)
        assert guest_info(session, guest_id).state == GuestState.STOPPED


def test_defect_13_an_unknown_guest_is_not_found_by_any_power_operation(session: KvmSession) -> None:
    unknown = "6d0720e8-6618-4ca0-b15c-7827c2ce8145"
    for operation in (guest_start, guest_suspend, guest_resume):
        with pytest.raises(EntityNotFound):
            operation(session, unknown)
    for forced in (guest_shutdown, guest_reboot):
        with pytest.raises(EntityNotFound):
            forced(session, unknown, force=True)


def test_defect_15_every_state_of_libvirts_has_one_of_ours() -> None:
    an_unknown_one = libvirt.VIR_DOMAIN_PMSUSPENDED + 1
    states = [state_of_code(code) for code in range(an_unknown_one + 1)]
    started, paused, stopped = GuestState.STARTED, GuestState.PAUSED, GuestState.STOPPED
    assert states == [stopped, started, started, paused, started, stopped, stopped, paused, stopped]


def test_defect_15_a_paused_guest_does_not_fail_the_list(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        states = {guest.id: guest.state for guest in guest_list(session, frozenset({"id", "state"}))}
        assert states[domain.UUIDString()] == GuestState.PAUSED
