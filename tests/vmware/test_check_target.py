"""``simplestack check-target`` at a simulated vCenter and ESXi host."""

from pathlib import Path

from support.check_target import check_target
from support.service import free_port
from support.vsphere import PASSWORD, Host

CONNECTED = ["ok plugin", "ok host"]


def test_a_host_that_works_passes_every_step(host: Host, tmp_path: Path) -> None:
    checked = check_target(tmp_path, "vmware", host.name, host.toml, user=host.user, password=PASSWORD)
    assert (checked.status, checked.stderr) == (0, "")
    assert checked.steps == [*CONNECTED, "ok connection", "ok login", "ok read"]
    assert "pool_info: in " in checked.stdout


def test_a_wrong_password_fails_the_login(vcenter: Host, tmp_path: Path) -> None:
    checked = check_target(
        tmp_path, "vmware", vcenter.name, vcenter.toml, user=vcenter.user, password="guessed"
    )
    assert (checked.status, checked.steps) == (1, [*CONNECTED, "failed login"])
    assert checked.error.endswith("check the user name and the password")  # it has no accounts


def test_a_closed_port_fails_the_connection(vcenter: Host, tmp_path: Path) -> None:
    host = f"127.0.0.1:{free_port()}"
    checked = check_target(tmp_path, "vmware", host, vcenter.toml, user=vcenter.user, password=PASSWORD)
    assert (checked.status, checked.steps) == (1, [*CONNECTED, "failed connection"])
    assert "refused" in checked.error
