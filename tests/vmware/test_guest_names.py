"""Names that two requests give to two guests at the same time, in two folders."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from pyVmomi import vim

from simplestack import Conflict, GuestUpdate
from simplestack_vmware.hooks.guests import guest_clone
from simplestack_vmware.hooks.guests_create import guest_create
from simplestack_vmware.hooks.guests_update import guest_update
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.tls import Trust
from support.threads import in_threads
from support.vsphere import Host, running_host

from .conftest import Connect
from .created import COPY, EMPTY, everything
from .deletions import id_of
from .interference import before_call

CHANGE = GuestUpdate(name="new", memory=256, cpus=2)
ATTEMPTS: dict[str, Callable[[VmwareSession, Host], Any]] = {
    "CreateVM_Task": lambda session, _host: guest_create(session, EMPTY),
    "CloneVM_Task": lambda session, _host: guest_create(session, replace(COPY, start=True)),
    "CloneVM_Task ": lambda session, host: guest_clone(session, id_of(host), "new", None),
    "ReconfigVM_Task": lambda session, host: guest_update(session, id_of(host), CHANGE),
}


@pytest.mark.parametrize("method", ATTEMPTS)
def test_a_name_that_another_guest_gets_meanwhile_is_409_and_nothing_is_changed(
    vcenter: Host, session: VmwareSession, method: str
) -> None:
    def rename() -> None:
        with vcenter.simulator.database.lock:
            vcenter.vm("shop-db")["name"] = "new"

    config = vcenter.vm()["config"]
    size = config.hardware.memoryMB, config.hardware.numCPU
    files, names = everything(vcenter)
    before_call(vcenter, method.strip(), rename)
    with pytest.raises(Conflict, match="'new'") as rejected:
        ATTEMPTS[method](session, vcenter)
    assert "failed, too" not in rejected.value.message
    assert everything(vcenter) == (files, sorted({*names, "new"} - {"shop-db"}))
    config = vcenter.vm()["config"]
    assert (config.hardware.memoryMB, config.hardware.numCPU) == size
    assert vcenter.calls()["PowerOnVM_Task"] == 0


def test_of_two_guests_that_get_one_name_at_once_at_most_one_has_it(trust: Trust, log_in: Connect) -> None:
    with running_host(trust, task_seconds=0.1) as host:
        session = log_in(host)
        for number in range(3):
            wanted = replace(EMPTY, name=f"new-{number}")
            with in_threads(2) as start:
                ended = [
                    start(guest_create, session, replace(wanted, folder=folder))
                    for folder in ("servers", None)
                ]
            made = [each.result() for each in ended if each.exception() is None]
            assert all(isinstance(each.exception(), Conflict | None) for each in ended)
            having = [vm for vm in host.all(vim.VirtualMachine) if vm["name"] == wanted.name]
            assert len(having) == len(made) <= 1
