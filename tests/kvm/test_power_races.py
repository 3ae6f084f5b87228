"""Power of guests while somebody else, or the guest itself, changes it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import libvirt
import libvirt_qemu  # type: ignore[import-untyped]  # libvirt-python has no types for it
import msgspec
import pytest

from simplestack import GuestState, InvalidState, OperationTimeout, Target
from simplestack_kvm.hooks import power
from simplestack_kvm.hooks.guests import guest_info
from simplestack_kvm.hooks.power import guest_reboot, guest_resume, guest_shutdown, guest_start
from simplestack_kvm.libvirtd.connection.event_loop import start_event_loop
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .interference import after

EVENT_SECONDS = 30

Until = Callable[[Callable[[], bool], float, str], None]


def patient(session: KvmSession, seconds: float) -> KvmSession:
    """Return the session with another time limit for guests that shut down."""
    settings = msgspec.structs.replace(session.settings, shutdown_timeout_seconds=seconds)
    return KvmSession(session.connection, settings, session.target)


@contextmanager
def qemu_events(libvirtd: Libvirtd, domain: "libvirt.virDomain") -> Iterator[list[str]]:
    """Collect what QEMU tells of a guest: POWERDOWN is its power button, RESET a reset."""
    start_event_loop()
    connection = libvirt.open(libvirtd.uri)
    events: list[str] = []

    def note(_connection: object, _domain: object, event: str, *_: object) -> None:
        events.append(event)

    watched = connection.lookupByUUIDString(domain.UUIDString())
    number = libvirt_qemu.qemuMonitorEventRegister(connection, watched, None, note, None)
    try:
        yield events
    finally:
        libvirt_qemu.qemuMonitorEventDeregister(connection, number)
        connection.close()


def test_a_reboot_presses_the_power_button_and_only_a_forced_one_resets(
    session: KvmSession, libvirtd: Libvirtd, until: Until
) -> None:
    with foreign(session.connection) as domain, qemu_events(libvirtd, domain) as events:
        domain.create()
        guest_reboot(session, domain.UUIDString(), force=False)
        until(lambda: "POWERDOWN" in events, EVENT_SECONDS, "the power button is pressed")
        assert "RESET" not in events
        del events[:]
        guest_reboot(session, domain.UUIDString(), force=True)
        until(lambda: "RESET" in events, EVENT_SECONDS, "the guest is reset")
        assert "POWERDOWN" not in events


def test_a_guest_that_missed_its_power_button_has_it_pressed_again(
    session: KvmSession, libvirtd: Libvirtd, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power, "PRESS_AGAIN_SECONDS", 0.1)
    with foreign(session.connection) as domain, qemu_events(libvirtd, domain) as events:
        domain.create()
        with pytest.raises(OperationTimeout):
            guest_shutdown(patient(session, 2), domain.UUIDString(), force=False)
        until(lambda: events.count("POWERDOWN") > 1, EVENT_SECONDS, "the power button is pressed again")


def test_a_guest_that_is_paused_while_it_is_asked_to_shut_down_is_in_the_wrong_state(
    session: KvmSession, libvirtd: Libvirtd, until: Until
) -> None:
    with (
        ThreadPoolExecutor(1) as threads,
        foreign(session.connection) as domain,
        qemu_events(libvirtd, domain) as events,
    ):
        domain.create()
        asked = threads.submit(guest_shutdown, patient(session, 5), domain.UUIDString(), force=False)
        until(lambda: "POWERDOWN" in events, EVENT_SECONDS, "the power button is pressed")
        domain.suspend()
        with pytest.raises(InvalidState) as caught:
            asked.result()
        assert caught.value.details == {"current": "PAUSED", "needed": "STARTED"}


def test_a_guest_that_stops_before_its_power_button_is_pressed_again_is_shut_down(
    session: KvmSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(power, "PRESS_AGAIN_SECONDS", 0.0)
    with foreign(session.connection) as domain:
        domain.create()
        # The second look at the state is the last one before the button is pressed again.
        with after("virDomainGetState", domain.destroy, nth=2):
            guest_shutdown(session, domain.UUIDString(), force=False)
        assert guest_info(session, domain.UUIDString()).state == GuestState.STOPPED


def test_a_guest_that_somebody_ends_while_it_is_asked_to_shut_down_is_shut_down(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with foreign(session.connection) as domain:
        domain.create()
        # The look at its state before the button is pressed.
        with after("virDomainGetState", domain.destroy, nth=1):
            guest_shutdown(session, domain.UUIDString(), force=False)
        assert guest_info(session, domain.UUIDString()).state == GuestState.STOPPED


def test_a_guest_that_ceases_to_exist_when_it_stops_is_shut_down(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        domain.create()
        domain.undefine()  # it is transient now
        with after("virDomainShutdown", domain.destroy):
            guest_shutdown(session, domain.UUIDString(), force=False)


def test_a_guest_that_somebody_else_starts_first_keeps_running(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        guest_id = domain.UUIDString()
        numbers: list[int] = []

        def be_quicker() -> None:
            domain.create()
            numbers.append(session.connection.lookupByUUIDString(guest_id).ID())

        with (
            after("virDomainHasManagedSaveImage", be_quicker, nth=1),
            pytest.raises(InvalidState) as caught,
        ):
            guest_start(session, guest_id)
        assert caught.value.details["current"] == "STARTED"
        assert session.connection.lookupByUUIDString(guest_id).ID() == numbers[0], "it was started anew"


NODE = """
<node><cpu><mhz>1</mhz><model>any</model></cpu>
  <domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
    <name>one</name><memory>8192</memory><os><type>hvm</type></os><test:runstate>{state}</test:runstate>
  </domain>
</node>
"""


@contextmanager
def in_state(folder: Path, state: int) -> Iterator[tuple[KvmSession, str]]:
    """Give a guest in a state that QEMU does not enter at will, on libvirt's own test driver."""
    node = folder / "node.xml"
    node.write_text(NODE.format(state=state))
    connection = libvirt.open(f"test://{node}")
    try:
        guest_id = connection.lookupByName("one").UUIDString()
        yield KvmSession(connection, KvmSettings(), Target("localhost")), guest_id
    finally:
        connection.close()


def test_a_crashed_guest_whose_remnant_is_still_there_is_stopped_and_starts(tmp_path: Path) -> None:
    with in_state(tmp_path, libvirt.VIR_DOMAIN_CRASHED) as (session, guest_id):
        assert guest_info(session, guest_id).state == GuestState.STOPPED
        guest_start(session, guest_id)
        assert guest_info(session, guest_id).state == GuestState.STARTED


def test_a_guest_asleep_by_its_own_power_management_is_woken_up(tmp_path: Path) -> None:
    with in_state(tmp_path, libvirt.VIR_DOMAIN_PMSUSPENDED) as (session, guest_id):
        assert guest_info(session, guest_id).state == GuestState.PAUSED
        # The test driver cannot do it, and says what was asked for. libvirt resumes no guest in this state.
        with pytest.raises(libvirt.libvirtError, match="virDomainPMWakeup"):
            guest_resume(session, guest_id)
