"""What clients of the REST API get when vSphere fails."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.behavior.power import switch
from simulators.vsphere.faults import Rule
from support.service import Answer, Service, running_service, token
from support.vsphere import PASSWORD, Host

_LIMITS = "call_timeout_seconds = 2\n"


@pytest.fixture
def service(vcenter: Host, tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path, f"[server]\nworkers = 1\n{vcenter.toml}{_LIMITS}") as made:
        made.default_headers["X-Simplestack-Hypervisor-Token"] = token(vcenter.user, PASSWORD)
        yield made


def guest_url(vcenter: Host, rest: str = "") -> str:
    return f"/vmware/{vcenter.name}/guests/{vcenter.vm()['config.instanceUuid']}{rest}"


def start(service: Service, vcenter: Host) -> Answer:
    return service.request("PUT", guest_url(vcenter, "/power"), {"state": "start"})


def is_error(answer: Answer, status: int, name: str) -> bool:
    assert PASSWORD.encode() not in answer.body
    assert set(answer.json) >= {"error", "message", "request_id"}
    return (answer.status, answer.json["error"]) == (status, name)


def test_a_wrong_password_is_401_and_leaves_the_sessions_of_others(service: Service, vcenter: Host) -> None:
    assert service.get(guest_url(vcenter)).status == 200
    wrong = {"X-Simplestack-Hypervisor-Token": token(vcenter.user, "wrong")}
    assert is_error(service.get(guest_url(vcenter), headers=wrong), 401, "Unauthorized")
    assert service.get(guest_url(vcenter)).status == 200
    assert len(vcenter.simulator.sessions.all()) == 1


def test_sessions_that_a_restart_has_ended_are_replaced(service: Service, vcenter: Host) -> None:
    assert service.get(guest_url(vcenter)).status == 200
    with vcenter.simulator.database.lock:
        vcenter.simulator.sessions.end_all()
    assert service.get(guest_url(vcenter)).status == 200
    vcenter.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="end sessions"))
    assert start(service, vcenter).status == 200
    assert service.get(guest_url(vcenter)).json["state"] == "STARTED"


def test_a_host_that_hangs_is_504(service: Service, vcenter: Host) -> None:
    assert service.get(guest_url(vcenter)).status == 200
    vcenter.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="hang"))
    answer = start(service, vcenter)
    assert is_error(answer, 504, "HypervisorTimeout"), answer
    assert "whether it took effect is unknown" in answer.json["message"]


def test_a_host_that_is_silent_during_a_task_is_504_at_the_limit(service: Service, vcenter: Host) -> None:
    vcenter.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="hold"))
    vcenter.simulator.faults.add(Rule(method="WaitForUpdatesEx", effect="hang", times=99))
    answer = start(service, vcenter)
    assert is_error(answer, 504, "HypervisorTimeout"), answer
    assert "PowerOnVM_Task may still" in answer.json["message"]


def test_a_task_that_fails_later_is_an_error_with_vspheres_text(service: Service, vcenter: Host) -> None:
    vcenter.simulator.faults.add(
        Rule(method="PowerOnVM_Task", effect="fail task", fault="FileLocked", properties={"file": "x"})
    )
    answer = start(service, vcenter)
    assert is_error(answer, 409, "Conflict"), answer
    assert service.get(guest_url(vcenter)).json["state"] == "STOPPED"


def test_a_guest_does_not_start_on_a_host_in_maintenance_mode(service: Service, vcenter: Host) -> None:
    with vcenter.simulator.database.lock:
        for each in vcenter.all(vim.HostSystem):
            each["runtime.inMaintenanceMode"] = True
    answer = start(service, vcenter)
    assert is_error(answer, 409, "Conflict"), answer
    assert service.get(guest_url(vcenter)).json["state"] == "STOPPED"


def test_a_host_that_vcenter_cannot_reach_is_an_error_and_its_guests_are_shown(
    service: Service, vcenter: Host
) -> None:
    with vcenter.simulator.database.lock:
        switch(vcenter.simulator, vcenter.vm(), vim.VirtualMachine.PowerState.poweredOn)
        vcenter.vm()["runtime.connectionState"] = vim.VirtualMachine.ConnectionState.disconnected
    assert service.get(guest_url(vcenter)).status == 200
    answer: Any = service.request("PUT", guest_url(vcenter, "/power"), {"state": "force_stop"})
    assert answer.status in (409, 502), answer
