"""libvirt's errors, provoked for real, as ours."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import libvirt
import pytest

from simplestack import (
    Conflict,
    EntityNotFound,
    HypervisorError,
    HypervisorUnavailable,
    InvalidArguments,
    OperationNotSupported,
    SimplestackError,
    Target,
)
from simplestack_kvm import errors
from simplestack_kvm import session as sessions
from simplestack_kvm.libvirtd.connection.event_loop import start_event_loop
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

from .counterparts import libvirtd as counterpart
from .counterparts.libvirtd import Libvirtd

UNKNOWN = "00000000-0000-4000-8000-000000000000"
DOMAIN = "<domain type='qemu'><name>{name}</name><memory>8192</memory><os><type>hvm</type></os></domain>"
#: More than the keep-alive limits below, with room for a busy machine.
PATIENCE_SECONDS = 60


def translated(call: Callable[[], object]) -> SimplestackError:
    with pytest.raises(libvirt.libvirtError) as caught:
        call()
    error = errors.translate(caught.value)
    assert error is not None
    return error


def test_what_is_not_there_is_not_found(session: KvmSession) -> None:
    connection = session.connection
    pool = connection.storagePoolLookupByName("simplestack-test")
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: connection.lookupByUUIDString(UNKNOWN), f"Guest:{UNKNOWN} not found"),
        (lambda: connection.networkLookupByUUIDString(UNKNOWN), f"Network:{UNKNOWN} not found"),
        (lambda: connection.storagePoolLookupByName("none"), "Storage:none not found"),
        (lambda: pool.storageVolLookupByName("none"), "Volume:none not found"),
    ]
    for call, message in cases:
        error = translated(call)
        assert isinstance(error, EntityNotFound)
        assert error.message == message


def test_a_name_that_is_taken_is_a_conflict(session: KvmSession) -> None:
    domain = session.connection.defineXML(DOMAIN.format(name="test-faults-taken"))
    try:
        again = DOMAIN.format(name="test-faults-taken").replace("<memory>", f"<uuid>{UNKNOWN}</uuid><memory>")
        assert isinstance(translated(lambda: session.connection.defineXML(again)), Conflict)
        pool = session.connection.storagePoolLookupByName("simplestack-test")
        volume = pool.createXML("<volume><name>test-faults</name><capacity>512</capacity></volume>")
        assert isinstance(translated(lambda: pool.createXML(volume.XMLDesc())), Conflict)
        volume.delete()
    finally:
        domain.undefine()


def test_what_the_state_forbids_is_a_conflict(session: KvmSession) -> None:
    domain = session.connection.defineXML(DOMAIN.format(name="test-faults-state"))
    try:
        assert isinstance(translated(domain.suspend), Conflict)
    finally:
        domain.undefine()


def test_xml_that_libvirt_refuses_is_an_invalid_argument(session: KvmSession) -> None:
    error = translated(lambda: session.connection.defineXML(DOMAIN.format(name="a/b")))
    assert isinstance(error, InvalidArguments)


def test_what_a_driver_cannot_do_is_not_supported() -> None:
    connection = libvirt.open("test:///default")
    assert isinstance(translated(lambda: connection.suspendForDuration(0, 60)), OperationNotSupported)
    connection.close()


def test_a_failure_of_the_hypervisor_keeps_its_own_text_and_number(session: KvmSession) -> None:
    firmware = "<os><loader readonly='yes'>/none</loader>"
    machine = DOMAIN.format(name="test-faults-fail").replace("<os>", firmware)
    domain = session.connection.defineXML(machine)
    try:
        error = translated(domain.create)
        assert isinstance(error, HypervisorError)
        assert isinstance(error.details["code"], int)
        assert error.message.startswith("libvirt failed: ")
    finally:
        domain.undefine()


def test_errors_that_are_not_libvirts_are_left_alone() -> None:
    assert errors.translate(ValueError("x")) is None


def test_a_libvirtd_that_ends_breaks_its_sessions(own_libvirtd: Libvirtd) -> None:
    start_event_loop()
    session = KvmSession(libvirt.open(own_libvirtd.uri), KvmSettings(), Target("localhost"))
    os.kill(own_libvirtd.pid(), signal.SIGKILL)
    counterpart.until(lambda: not sessions.check(session), PATIENCE_SECONDS, "the session is dead")
    assert isinstance(translated(session.connection.getHostname), HypervisorUnavailable)
    sessions.disconnect(session)


def test_a_libvirtd_that_stops_answering_breaks_its_sessions(own_libvirtd: Libvirtd) -> None:
    start_event_loop()
    session = KvmSession(libvirt.open(own_libvirtd.uri), KvmSettings(), Target("localhost"))
    session.connection.setKeepAlive(1, 1)
    pid = own_libvirtd.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as threads:
            call = threads.submit(translated, session.connection.getHostname)
            try:
                error = call.result(PATIENCE_SECONDS)
            finally:
                os.kill(pid, signal.SIGCONT)  # else the thread could never end
        assert isinstance(error, HypervisorUnavailable)
        assert not sessions.check(session)
    finally:
        sessions.disconnect(session)
