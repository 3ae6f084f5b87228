"""Metrics of sessions, logins and abandoned calls."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from support.distributions import install
from support.metrics import samples, total, wait_for_total
from support.service import Service, running_service, token, wait_for

PLUGIN = """
import os
from pathlib import Path

folder = Path(os.environ["METER_FOLDER"])

def connect(target, credentials, settings):
    if credentials.username == "stranger":
        raise Unauthorized("wrong user name or password")
    if target.name == "slow":
        threading.Event().wait()
    return target.name

@hookimpl
def guest_list(session):
    (folder / "waits").touch()
    while not (folder / "let-go").exists():
        time.sleep(0.02)
    return []

@hookimpl
def host_list(session):
    threading.Event().wait()

@hookimpl
def storage_list(session):
    return []

plugin = HypervisorPlugin(name="meter", title="Meter", connect=connect, disconnect=lambda session: None,
                          hooks=(me,), settings=HypervisorSettings)
"""
CONFIG = """
[server]
workers = 1
[hypervisors.meter]
max_sessions_per_host = 1
connect_timeout_seconds = 1
failed_login_seconds = 600
[hypervisors.meter.hosts.hangs]
call_timeout_seconds = 0.2
[hypervisors.meter.hosts.slow]
connect_timeout_seconds = 0.2
"""
SESSIONS = "simplestack_sessions"
LOGINS = "simplestack_logins_total"
ABANDONED = "simplestack_abandoned_calls_total"
WAITS = "simplestack_session_wait_seconds"


@contextlib.contextmanager
def running(tmp_path: Path, plugins: Path) -> Iterator[Service]:
    install(plugins, "meter", PLUGIN)
    with running_service(
        tmp_path, CONFIG, plugins=plugins, environment={"METER_FOLDER": str(tmp_path)}
    ) as service:
        yield service


def test_sessions_are_busy_then_idle(tmp_path: Path, plugins: Path) -> None:
    with running(tmp_path, plugins) as service:
        asked = threading.Thread(target=service.get, args=("/meter/h/guests",), daemon=True)
        asked.start()
        wait_for((tmp_path / "waits").exists, what="the session to be busy")
        wait_for_total(service, 1, SESSIONS, hypervisor="meter", state="busy")
        (tmp_path / "let-go").touch()
        asked.join(30)
        wait_for_total(service, 1, SESSIONS, hypervisor="meter", state="idle")
        found = samples(service)
        assert total(found, SESSIONS, hypervisor="meter") == 1
        assert total(found, LOGINS, hypervisor="meter", outcome="ok") == 1
        assert total(found, "simplestack_login_duration_seconds_count", hypervisor="meter") == 1
        assert total(found, f"{WAITS}_count") == 0


def test_a_call_that_waited_for_a_session_is_counted(tmp_path: Path, plugins: Path) -> None:
    with running(tmp_path, plugins) as service:
        first = threading.Thread(target=service.get, args=("/meter/h/guests",), daemon=True)
        first.start()
        wait_for((tmp_path / "waits").exists, what="the session to be busy")
        # It waits for `connect_timeout_seconds`, in vain.
        assert service.get("/meter/h/storages").error == "HypervisorUnavailable"
        found = samples(service)
        assert total(found, f"{WAITS}_count", hypervisor="meter") == 1
        assert total(found, f"{WAITS}_bucket", hypervisor="meter", le="0.5") == 0
        (tmp_path / "let-go").touch()
        first.join(30)


def test_rejected_and_repeated_logins_are_counted(tmp_path: Path, plugins: Path) -> None:
    with running(tmp_path, plugins) as service:
        for _ in range(3):
            headers = {"X-Simplestack-Hypervisor-Token": token("stranger")}
            assert service.get("/meter/h/storages", headers=headers).status == 401
        found = samples(service)
        assert total(found, LOGINS, hypervisor="meter", outcome="Unauthorized") == 1
        assert total(found, LOGINS, hypervisor="meter", outcome="repeated") == 2


def test_abandoned_calls_and_logins_are_counted(tmp_path: Path, plugins: Path) -> None:
    with running(tmp_path, plugins) as service:
        assert service.get("/meter/hangs/hosts").status == 504
        assert service.get("/meter/slow/hosts").status == 504
        found = samples(service)
        assert total(found, ABANDONED, hypervisor="meter", operation="host_list") == 1
        assert total(found, ABANDONED, hypervisor="meter", operation="login") == 1
        assert total(found, LOGINS, hypervisor="meter", outcome="HypervisorTimeout") == 1
        assert total(found, SESSIONS, hypervisor="meter", state="ending") == 2
