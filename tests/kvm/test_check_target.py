"""``simplestack check-target`` at a real libvirtd."""

from pathlib import Path

from simplestack.identity.accounts import hash_password
from support.check_target import check_target
from support.service import free_port

from .counterparts.libvirtd import Libvirtd

CONNECTED = ["ok plugin", "ok host", "ok address"]
PASSED = [*CONNECTED, "ok connection", "ok login", "ok read"]
TCP = "[hypervisors.kvm]\ntransport = 'tcp'\nallowed_hosts = ['localhost']\n"


def test_a_libvirtd_passes_every_step_over_tcp_with_its_own_users(libvirtd: Libvirtd, tmp_path: Path) -> None:
    host, user = f"localhost:{libvirtd.tcp_port}", libvirtd.username
    checked = check_target(tmp_path, "kvm", host, TCP, user=user, password=libvirtd.password)
    assert (checked.status, checked.steps) == (0, PASSED), checked.stderr
    checked = check_target(tmp_path, "qemu", host, TCP, user=user)
    assert (checked.status, checked.steps) == (1, [*CONNECTED, "failed login"])


def test_over_its_unix_socket_the_accounts_decide(libvirtd: Libvirtd, tmp_path: Path) -> None:
    settings = (
        f"[hypervisors.kvm]\nsocket = '{libvirtd.socket}'\n"
        f"[hypervisors.kvm.accounts]\nalice = '{hash_password('wonderland')}'\n"
    )
    checked = check_target(tmp_path, "kvm", "localhost", settings, user="alice", password="wonderland")
    assert (checked.status, checked.steps) == (0, PASSED), checked.stderr
    checked = check_target(tmp_path, "kvm", "localhost", settings, user="alice", password="guessed")
    assert (checked.status, checked.steps) == (1, [*CONNECTED, "failed login"])
    assert "the accounts in [hypervisors.kvm]" in checked.error


def test_a_closed_port_fails_the_connection(tmp_path: Path) -> None:
    checked = check_target(tmp_path, "kvm", f"localhost:{free_port()}", TCP)
    assert (checked.status, checked.steps) == (1, [*CONNECTED, "failed connection"])
    assert "Connection refused" in checked.error
