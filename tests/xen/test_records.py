"""XAPI's records, of newer and older versions, by either wire; and the entities made of them."""

from typing import TypeVar

import msgspec
import pytest

from simplestack import EntityNotFound, GuestState, HypervisorError, InvalidArguments, NetworkCreate
from simplestack_xen.entities import (
    first_address,
    guest_entity,
    interface_entity,
    snapshot_entities,
    storage_entity,
)
from simplestack_xen.hooks.guests import guest_info, guest_list
from simplestack_xen.hooks.interfaces import network_interface_list
from simplestack_xen.hooks.networks import network_vlan_create
from simplestack_xen.hooks.tags import tag_create
from simplestack_xen.xapi import api, json_rpc
from simplestack_xen.xapi.events import Batch
from simplestack_xen.xapi.records import GuestMetricsRecord, SrRecord, VifRecord, VmRecord, VmSummary
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.tasks import reference_in, references_in
from simulators.xapi.simulator import Simulator
from support.peers import Response
from support.xapi import Pool, Trust, running_pool

from .conftest import Connect

T = TypeVar("T")
ALL = frozenset({"hdd", "ip", "host", "tools_up_to_date"})


def json(text: bytes, kind: type[T]) -> T:
    body = json_rpc.read_response(Response(text), kind)  # type: ignore[arg-type]  # as far as it looks
    assert body is not None
    return json_rpc.result_of(body)


def test_members_that_are_not_known_are_ignored_and_those_that_lack_have_defaults() -> None:
    text = b'{"jsonrpc": "2.0", "id": 1, "result": {"uuid": "u", "name_label": "n", "from_2040": [{"a": 1}]}}'
    record = json(text, VmRecord)
    assert record == VmRecord(uuid="u", name_label="n")
    assert (record.VCPUs_at_startup, record.guest_metrics, record.snapshot_info) == (1, "OpaqueRef:NULL", {})
    assert guest_entity(record, 0, None, None).state is GuestState.STOPPED


@pytest.mark.parametrize("number", [b"536870912", b'"536870912"'], ids=["number", "text"])
def test_integers_are_numbers_or_text(number: bytes) -> None:
    text = b'{"result": {"memory_static_max": %b}, "error": null, "id": 1}' % number
    record = json(text, VmSummary)
    assert record.memory_static_max == 512 * 1024**2


def test_clients_read_no_words_of_a_library_about_a_value_of_another_type(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(HypervisorError, match="XAPI returned a value of an unexpected type") as failed:
        api._converted([1], str)
    assert "`" not in failed.value.message
    assert "Expected `str`, got `array`" in caplog.text


def test_both_wires_tell_the_same(trust: Trust, log_in: Connect) -> None:
    simulator = Simulator(vms=5)
    with running_pool(trust, simulator) as new, running_pool(trust, simulator, speaks_json=False) as old:
        newer, older = log_in(new), log_in(old)
        newer.tasks.run.VM.start(new.vm().ref, False, False)
        guests = guest_list(newer, ALL)
        assert len(guests) == 5
        assert guest_list(older, ALL) == guests
        for guest in guests:
            assert guest_info(older, guest.id) == guest_info(newer, guest.id) == guest
            assert network_interface_list(older, guest.id) == network_interface_list(newer, guest.id)


@pytest.mark.parametrize("speaks_json", [True, False], ids=["JSON-RPC", "XML-RPC"])
def test_line_breaks_of_a_text_arrive_as_they_are(trust: Trust, log_in: Connect, speaks_json: bool) -> None:
    text = "line 1\r\nline 2\rline 3\nline 4"
    with running_pool(trust, Simulator(), speaks_json=speaks_json) as pool:
        wanted = NetworkCreate(name="breaks", description=text, from_network="Pool-wide network 0", vlan=3900)
        network_vlan_create(log_in(pool), wanted)
        (made,) = (network for network in pool.all("network") if network["name_label"] == "breaks")
        assert made["name_description"] == text


def test_a_guest_in_a_state_that_nobody_knows_does_not_fail_the_list(pool: Pool, session: XenSession) -> None:
    pool.vm()["power_state"] = "Paused"
    states = {guest.name: guest.state for guest in guest_list(session, ALL)}
    assert states == {"vm-0": "PAUSED", "vm-1": "STOPPED", "vm-2": "STOPPED"}
    assert VmSummary(power_state="Crashed").state is GuestState.STOPPED


def test_what_is_no_guest_is_not_listed(pool: Pool, session: XenSession) -> None:
    pool.vm("vm-1")["is_control_domain"] = True
    session.tasks.run.VM.snapshot(pool.vm().ref, "then")
    assert [guest.name for guest in guest_list(session, ALL)] == ["vm-0", "vm-2"]


def test_the_first_address_is_that_of_the_first_device_ipv4_before_ipv6() -> None:
    networks = {
        "1/ip": "10.0.0.2",
        "0/ipv6/0": "fe80::1",
        "0/ipv4/1": "10.0.0.9",
        "10/ip": "10.0.0.3",
        "x": "y",
    }
    assert first_address(networks) == "10.0.0.9"
    assert first_address(networks | {"0/ip": "10.0.0.1"}) == "10.0.0.1"
    assert first_address({"0/ipv6/0": "fe80::1"}) == "fe80::1"
    linked = {"0/ipv6/0": "fe80::1", "0/ip": "169.254.7.7", "1/ipv6/0": "2001:db8::1"}
    assert first_address(linked) == "2001:db8::1", "others can reach that one alone"
    assert first_address(linked | {"2/ipv4/0": "192.0.2.1"}) == "192.0.2.1", "of the same kind"
    assert first_address({"0/ipv6/0": "fe80::1", "1/ip": "169.254.7.7"}) == "169.254.7.7"
    assert first_address({"0/ip": "none yet", "1/ip": "10.0.0.2"}) == "10.0.0.2"
    assert first_address({"0/ip": "none yet"}) is None
    assert first_address({"0/ip": ""}) is None
    metrics = GuestMetricsRecord(networks=networks, PV_drivers_up_to_date=True)
    running = guest_entity(VmRecord(power_state="Running"), 0, metrics, None)
    assert (running.ip, running.tools_up_to_date) == ("10.0.0.9", True)
    off = guest_entity(VmRecord(power_state="Halted"), 0, None, None)
    assert (off.ip, off.tools_up_to_date) == (None, None)


def test_a_storage_of_unknown_size_has_none() -> None:
    record = SrRecord(uuid="u", physical_size=-1, physical_utilisation=-1, virtual_allocation=-1)
    entity = storage_entity(record)
    assert (entity.size, entity.used_space, entity.allocated_space) == (None, None, None)
    assert (entity.name, entity.type) == ("u", "unknown")


def test_a_rate_is_shown_in_bits_and_in_xapis_own_words() -> None:
    limited = VifRecord(qos_algorithm_type="ratelimit", qos_algorithm_params={"kbps": "1280"})
    entity = interface_entity(limited, None, is_off=True)
    assert (entity.ratelimit, entity.rate_limit) == (1280 * 8192, {"kbps": "1280"})
    for params in ({}, {"kbps": ""}, {"kbps": "0"}, {"kbps": "many"}):
        free = VifRecord(qos_algorithm_type="ratelimit", qos_algorithm_params=params)
        assert interface_entity(free, None, is_off=True).ratelimit is None
    left = VifRecord(qos_algorithm_type="", qos_algorithm_params={"kbps": "1280"})
    assert interface_entity(left, None, is_off=True).ratelimit is None


def test_an_old_xapi_has_no_locking_mode() -> None:
    assert interface_entity(VifRecord(MAC="m"), "net", is_off=False).locking_mode is None


def test_snapshots_that_are_one_anothers_parents_do_not_hang() -> None:
    snapshots = {
        "a": VmRecord(uuid="1", name_label="x", parent="b", snapshot_time="20260102T00:00:00Z"),
        "b": VmRecord(uuid="2", name_label="y", parent="a", snapshot_time="nonsense"),
    }
    found = snapshot_entities(VmRecord(snapshots=["a", "b", "gone"]), snapshots)
    assert [(entity.id, entity.path, entity.created) for entity in found.values()] == [
        ("1", "y/x", "2026-01-02T00:00:00Z"),
        ("2", "x/y", None),
    ]


def test_a_tasks_result_may_have_several_references_which_are_not_glued_together() -> None:
    one, two = "OpaqueRef:4b2a-1", "OpaqueRef:4b2a-2"
    assert references_in(
        f"<value><array><data><value>{one}</value><value>{two}</value></data></array></value>"
    ) == [
        one,
        two,
    ]
    assert reference_in(f"<value>{one}</value>") == one
    for nothing in ("", "<value/>"):
        with pytest.raises(HypervisorError):
            reference_in(nothing)


def test_a_batch_without_snapshots_is_read() -> None:
    text = b'{"events": [{"class": "vm", "ref": "r", "operation": "del"}], "token": "t"}'
    batch = msgspec.json.decode(text, type=Batch)
    assert batch.events[0].snapshot is None


def test_what_is_gone_is_not_found_by_the_reference_that_it_had(pool: Pool, session: XenSession) -> None:
    uuid = pool.vm()["uuid"]
    assert guest_info(session, uuid).name == "vm-0"
    session.xenapi.VM.destroy(pool.vm().ref)
    for _ in range(2):
        with pytest.raises(EntityNotFound):
            guest_info(session, uuid)
    assert session.known_refs == {}


def test_what_came_back_under_another_reference_is_found(pool: Pool, session: XenSession) -> None:
    vm = pool.vm()
    guest_info(session, vm["uuid"])
    session.known_refs["VM", vm["uuid"]] = "OpaqueRef:of-before-the-database-was-restored"
    assert guest_info(session, vm["uuid"]).name == "vm-0"
    assert session.known_refs["VM", vm["uuid"]] == vm.ref


@pytest.mark.parametrize("name", ["\ufffe", "a\uffff", "\x01"])
def test_a_character_that_xml_cannot_carry_is_refused_before_it_is_sent(
    pool: Pool, session: XenSession, name: str
) -> None:
    with pytest.raises(InvalidArguments, match=r"U\+"):
        tag_create(session, pool.vm()["uuid"], name)
    assert tag_create(session, pool.vm()["uuid"], "\U0001f600 <&> ü") == ["\U0001f600 <&> ü"]
