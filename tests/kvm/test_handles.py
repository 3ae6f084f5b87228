"""libvirt's handles: a garbage collection may find them at any time."""

import gc
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from simplestack import EntityNotFound
from simplestack_kvm import errors
from simplestack_kvm.sdk import libvirt

from .counterparts.libvirtd import Libvirtd
from .sockets import sockets

UNKNOWN = "00000000-0000-4000-8000-000000000000"
SNAPSHOT = "<domainsnapshot><name>test-handles</name></domainsnapshot>"
FREED_SECONDS = 30

Until = Callable[[Callable[[], bool], float, str], None]


def snapshot(connection: "libvirt.virConnect") -> object:
    domain = connection.lookupByName("test")
    if "test-handles" not in domain.snapshotListNames():
        domain.snapshotCreateXML(SNAPSHOT)
    return domain.snapshotLookupByName("test-handles")


def volume(connection: "libvirt.virConnect") -> object:
    pool = connection.storagePoolLookupByName("default-pool")
    if "test-handles" not in pool.listVolumes():
        pool.createXML("<volume><name>test-handles</name><capacity>1</capacity></volume>")
    return pool.storageVolLookupByName("test-handles")


HANDLES: dict[str, Callable[["libvirt.virConnect"], object]] = {
    "connection": lambda _connection: libvirt.open("test:///default"),
    "domain": lambda connection: connection.lookupByName("test"),
    "snapshot": snapshot,
    "network": lambda connection: connection.networkLookupByName("default"),
    "interface": lambda connection: connection.listAllInterfaces()[0],
    "pool": lambda connection: connection.storagePoolLookupByName("default-pool"),
    "volume": volume,
    "device": lambda connection: connection.listAllDevices()[0],
    "stream": lambda connection: connection.newStream(),
}


@pytest.fixture
def connection() -> Iterator["libvirt.virConnect"]:
    """Connect to libvirt's own test driver."""
    made = libvirt.open("test:///default")
    yield made
    made.close()


@contextmanager
def collections_everywhere() -> Iterator[None]:
    """Let a garbage collection run whenever an object is made."""
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def leave_to_the_collector(*handles: object) -> None:
    """Make a reference cycle of handles: only a garbage collection finds them."""
    cycle: list[object] = [*handles]
    cycle.append(cycle)


@pytest.mark.parametrize("kind", HANDLES)
def test_an_error_keeps_its_reason_though_handles_are_collected_before_it_is_made(
    connection: "libvirt.virConnect", kind: str
) -> None:
    raised = []
    with collections_everywhere():
        for _ in range(100):
            leave_to_the_collector(HANDLES[kind](connection))
            try:
                connection.lookupByUUIDString(UNKNOWN)
            except libvirt.libvirtError as error:
                raised.append(error)
    assert len(raised) == 100
    assert {error.get_error_code() for error in raised} == {libvirt.VIR_ERR_NO_DOMAIN}
    assert {type(errors.translate(error)) for error in raised} == {EntityNotFound}


def test_a_handle_that_goes_out_of_use_is_freed_at_once() -> None:
    connection = libvirt.open("test:///default")
    domain = connection.lookupByName("test")
    assert domain.name() == "test"
    del domain
    assert connection.close() == 0, "something still refers to the connection"


def test_a_connection_that_a_collection_finds_is_closed(libvirtd: Libvirtd, until: Until) -> None:
    gc.collect()
    before = sockets()
    connection = libvirt.open(libvirtd.uri)
    # Either may be freed first: the connection is closed with the last of them.
    leave_to_the_collector(connection, connection.listAllNetworks(), connection.listAllStoragePools())
    assert sockets() - before
    del connection
    gc.collect()
    until(lambda: not sockets() - before, FREED_SECONDS, "the connection is closed")


FORKED = f"""
import gc, os, sys, time
from contextlib import suppress
from pathlib import Path
from simplestack_kvm.sdk import libvirt

{inspect.getsource(sockets)}
before = sockets()

def leave_a_connection():
    cycle = [libvirt.open(sys.argv[1])]
    cycle.append(cycle)

def is_closed_after_a_collection():
    gc.collect()
    deadline = time.monotonic() + {FREED_SECONDS}
    while sockets() - before and time.monotonic() < deadline:
        time.sleep(0.05)
    return not sockets() - before

leave_a_connection()
in_parent = is_closed_after_a_collection()
child = os.fork()
leave_a_connection()
is_closed = is_closed_after_a_collection()
if child == 0:
    os._exit(not is_closed)
_, status = os.waitpid(child, 0)
print(in_parent, is_closed, status)
"""

LEFT_AT_THE_END = """
from simplestack_kvm.sdk import libvirt

connection = libvirt.open("test:///default")
for _ in range(100):
    cycle = [connection.lookupByName("test"), libvirt.open("test:///default")]
    cycle.append(cycle)
"""


def run(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # A process with threads that forks is warned about since Python 3.12; that it forks is the point.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def test_collections_free_handles_in_a_forked_child_too(libvirtd: Libvirtd) -> None:
    ran = run(FORKED, libvirtd.uri)
    assert ran.stdout == "True True 0\n", ran.stderr


def test_a_process_ends_in_peace_with_handles_that_nobody_has_collected() -> None:
    ran = run(LEFT_AT_THE_END)
    assert (ran.returncode, ran.stderr) == (0, "")
