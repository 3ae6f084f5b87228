"""Networks on VLANs of a libvirtd that ends: after they were made, and while they are."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing

import libvirt
import pytest

from simplestack import Credentials, Target
from simplestack.identity.accounts import hash_password
from simplestack_kvm import session as sessions
from simplestack_kvm.hooks.networks import network_list, network_vlan_create
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

from .conftest import require_libvirtd
from .counterparts import libvirtd as counterpart
from .counterparts.libvirtd import Libvirtd
from .interference import after
from .switches import define_trunk, definitions, error_of, wanted

PATIENCE_SECONDS = 60

Until = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture
def mortal() -> Iterator[Libvirtd]:
    """Run a libvirtd with the network of Open vSwitch, which is started again when the test kills it."""
    require_libvirtd()
    daemon = counterpart.start(network=False)
    (daemon.folder / "restart-libvirtd").touch()
    with closing(libvirt.open(daemon.uri)) as connection:
        define_trunk(connection)
    yield daemon
    daemon.stop()


@pytest.fixture
def session(mortal: Libvirtd) -> Iterator[KvmSession]:
    """Give a session that can be opened again."""
    settings = KvmSettings(transport="unix", socket=mortal.socket, accounts={"a": hash_password("secret")})
    session = sessions.connect(Target("localhost"), Credentials("a", "secret"), settings)
    yield session
    sessions.disconnect(session)


def kill(daemon: Libvirtd) -> int:
    """Kill libvirtd, and return the process ID that it had."""
    pid = daemon.pid()
    os.kill(pid, signal.SIGKILL)
    return pid


def is_restarted(daemon: Libvirtd, old_pid: int) -> bool:
    try:
        if daemon.pid() == old_pid:
            return False
        libvirt.open(daemon.uri).close()
    except (libvirt.libvirtError, AssertionError):
        return False
    return True


def test_a_network_on_a_vlan_is_there_again_when_the_host_has_booted(
    mortal: Libvirtd, session: KvmSession, until: Until
) -> None:
    made = network_vlan_create(session, wanted())
    # A host that boots has no state of libvirt's any more, but its definitions.
    for state in (mortal.folder / "run/libvirt/network").iterdir():
        state.unlink()
    pid = kill(mortal)
    until(lambda: is_restarted(mortal, pid), PATIENCE_SECONDS, "libvirtd is started again")
    with closing(libvirt.open(mortal.uri)) as connection:
        again = KvmSession(connection, KvmSettings(), Target("localhost"))
        until(lambda: made in network_list(again), PATIENCE_SECONDS, "the network is started again")


def test_a_network_whose_libvirtd_dies_is_removed_on_a_new_connection(
    mortal: Libvirtd, session: KvmSession, until: Until
) -> None:
    before, pids = definitions(session), list[int]()
    with after("virNetworkDefineXML", lambda: pids.append(kill(mortal)), nth=1):
        error = error_of(lambda: network_vlan_create(session, wanted()))
    assert "may be left" not in error.message
    until(lambda: is_restarted(mortal, pids[0]), PATIENCE_SECONDS, "libvirtd is started again")
    with closing(libvirt.open(mortal.uri)) as connection:
        now = KvmSession(connection, KvmSettings(), Target("localhost"))
        assert set(definitions(now)) == set(before)
