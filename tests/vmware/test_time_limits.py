"""Operations whose time is up: they end, and what they have begun is cancelled and undone."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from simplestack import Credentials, HypervisorTimeout, OperationTimeout
from simplestack.sessions.time_limits import Deadline, current_deadline
from simplestack_vmware.hooks.guests import guest_delete, guest_list
from simplestack_vmware.hooks.guests_create import guest_create
from simplestack_vmware.hooks.guests_export import guest_export
from simplestack_vmware.hooks.networks import network_vlan_create
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.session import connect, disconnect
from simplestack_vmware.vsphere.connection import limits
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.faults import Rule
from support.vsphere import PASSWORD, Host

from .conftest import Connect
from .created import EMPTY, everything
from .interference import before_call
from .linked_clones import link
from .test_disks import devices, id_of
from .test_vlans import port_groups, wanted
from .transfers import Everything
from .uploads import load

IDS = frozenset({"id", "name"})


@pytest.fixture
def deadline() -> Iterator[Deadline]:
    """Give the deadline of the operations that a test calls."""
    made = Deadline(30)
    token = current_deadline.set(made)
    yield made
    current_deadline.reset(token)


def test_a_call_takes_no_longer_than_its_operation_may(
    vcenter: Host, session: VmwareSession, deadline: Deadline
) -> None:
    guest_list(session, IDS)
    vcenter.simulator.faults.add(Rule(method="RetrievePropertiesEx", effect="hang"))
    deadline.restart(0.3)
    with pytest.raises(HypervisorTimeout, match=r"within 0\.\d+ s$"):
        guest_list(session, IDS)


def test_an_operation_without_time_left_calls_nothing(
    vcenter: Host, session: VmwareSession, deadline: Deadline
) -> None:
    guest = id_of(vcenter)
    vcenter.calls()
    deadline.restart(-1)
    with pytest.raises(OperationTimeout, match="no time left for RetrievePropertiesEx"):
        guest_list(session, IDS)
    with pytest.raises(OperationTimeout, match="no time left"):
        guest_start(session, guest)
    assert vcenter.calls() == {}


def test_a_task_is_cancelled_without_time_left(
    vcenter: Host, session: VmwareSession, deadline: Deadline
) -> None:
    vcenter.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="hold"))
    before_call(vcenter, "PowerOnVM_Task", lambda: deadline.restart(0.2))
    with pytest.raises(OperationTimeout, match=r"PowerOnVM_Task did not end within 0(\.\d+)? s$"):
        guest_start(session, id_of(vcenter))
    assert vcenter.calls()["CancelTask"] == 1


def test_a_new_guest_is_removed_without_time_left(host: Host, log_in: Connect, deadline: Deadline) -> None:
    session = log_in(host)
    before = everything(host)
    host.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="fail task", fault="InvalidState"))
    before_call(host, "PowerOnVM_Task", lambda: deadline.restart(0))
    with pytest.raises(Fault, match="InvalidState") as failed:
        guest_create(session, replace(EMPTY, start=True))
    assert everything(host) == before
    assert "failed, too" not in failed.value.message


def test_a_removal_may_take_long_without_time_left(
    host: Host, log_in: Connect, deadline: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = log_in(host)
    before = everything(host)
    monkeypatch.setattr(limits, "_UNDO_SECONDS", 0.5)

    def slow_down() -> None:
        deadline.restart(-1)
        host.simulator.tasks.seconds = 1

    host.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="fail task", fault="InvalidState"))
    before_call(host, "PowerOnVM_Task", slow_down)
    with pytest.raises((Fault, OperationTimeout)) as failed:
        guest_create(session, replace(EMPTY, start=True))
    assert everything(host) == before
    assert "failed, too" not in failed.value.message  # type: ignore[attr-defined]  # both kinds have it


def test_an_import_is_undone_without_time_left(
    with_leases: Host, log_in: Connect, deadline: Deadline, archive: bytes
) -> None:
    session = log_in(with_leases)
    before = Everything.of(with_leases)
    before_call(with_leases, "ImportVApp", lambda: deadline.restart(0))
    with pytest.raises(HypervisorTimeout) as late:
        load(session, archive)
    assert Everything.of(with_leases) == before
    assert "failed, too" not in late.value.message


def test_an_export_ends_its_lease_without_time_left(
    with_leases: Host, log_in: Connect, deadline: Deadline
) -> None:
    chunks = guest_export(log_in(with_leases), "vm-1").chunks
    deadline.restart(0)
    chunks.close()  # type: ignore[attr-defined]  # core closes what can be
    assert with_leases.simulator.leases.held() == []


def test_port_groups_are_removed_without_time_left(
    vcenter: Host, session: VmwareSession, deadline: Deadline
) -> None:
    before = port_groups(vcenter)
    before_call(vcenter, "AddPortGroup", lambda: deadline.restart(0), after=2)
    with pytest.raises(OperationTimeout, match=r"no time left for AddPortGroup$"):
        network_vlan_create(session, wanted())
    assert port_groups(vcenter) == before


def test_detached_disks_are_attached_without_time_left(
    host: Host, log_in: Connect, deadline: Deadline
) -> None:
    session = log_in(host)
    link(host, "vm-2", devices(host.vm())[1].backing)
    host.simulator.faults.add(Rule(method="Destroy_Task", effect="fail task", fault="InvalidState"))
    before_call(host, "Destroy_Task", lambda: deadline.restart(0))
    with pytest.raises(Fault, match="InvalidState"):
        guest_delete(session, id_of(host))
    assert len(devices(host.vm())) == 2


def test_a_session_is_logged_out_without_time_left(vcenter: Host, deadline: Deadline) -> None:
    session = connect(vcenter.target, Credentials(vcenter.user, PASSWORD), vcenter.settings())
    deadline.restart(0)
    disconnect(session)
    assert vcenter.calls()["Logout"] == 1
