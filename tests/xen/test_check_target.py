"""``simplestack check-target`` at a simulated pool."""

from pathlib import Path

import pytest

from support.check_target import check_target
from support.service import free_port
from support.xapi import PASSWORD, USER, Pool, make_trust

CONNECTED = ["ok plugin", "ok host"]


def test_a_pool_that_works_passes_every_step(pool: Pool, tmp_path: Path) -> None:
    checked = check_target(tmp_path, "xen", pool.host, pool.toml, user=USER, password=PASSWORD)
    assert (checked.status, checked.stderr) == (0, "")
    assert checked.steps == [*CONNECTED, "ok connection", "ok login", "ok read"]
    assert "pool_info: in " in checked.stdout
    assert pool.count("session") == 0


def test_a_wrong_password_fails_the_login(pool: Pool, tmp_path: Path) -> None:
    checked = check_target(tmp_path, "xen", pool.host, pool.toml, user=USER, password="guessed")
    assert (checked.status, checked.steps) == (1, [*CONNECTED, "failed login"])


@pytest.mark.parametrize(
    ("mistake", "said"), [("port", "refused"), ("certificate", "its certificate is not trusted")]
)
def test_what_is_wrong_before_the_login_fails_the_connection(
    pool: Pool, tmp_path: Path, mistake: str, said: str
) -> None:
    other = make_trust(tmp_path / "other").ca_file
    host = f"127.0.0.1:{free_port()}" if mistake == "port" else pool.host
    settings = (
        pool.toml.replace(str(pool.trust.ca_file), str(other)) if mistake == "certificate" else pool.toml
    )
    checked = check_target(tmp_path, "xen", host, settings, user=USER, password=PASSWORD)
    assert (checked.status, checked.steps) == (1, [*CONNECTED, "failed connection"])
    assert said in checked.error
    assert "TLS in [hypervisors.xen]" in checked.error
