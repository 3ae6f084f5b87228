"""Sessions: who gets one, what becomes of it, and where a host may send its clients."""

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from simplestack import (
    Credentials,
    DiskCreate,
    GuestCreate,
    HostNotAllowed,
    HypervisorUnavailable,
    NetworkInterfaceCreate,
    PermissionDenied,
    SessionExpired,
    Stack,
    Unauthorized,
)
from simplestack_xen.errors import translate
from simplestack_xen.hooks.guests import guest_info, guest_list
from simplestack_xen.hooks.power import guest_start
from simplestack_xen.sdk import XenAPI
from simplestack_xen.session import check, connect, disconnect
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.simulator import Simulator
from support.xapi import PASSWORD, USER, Pool, Trust, running_pool

LOGIN = "session.login_with_password"
ALL = frozenset({"id", "name", "hdd", "ip", "host", "tools_up_to_date"})


def stack(pool: Pool, folder: Path, password: str = PASSWORD, user: str = USER, more: str = "") -> Stack:
    """Return a stack with settings of its own, so that nothing is known of earlier sessions."""
    config = folder / "simplestack.toml"
    config.write_text(pool.toml + more)
    return Stack("xen", pool.host, user, password, config=config)


def test_requests_share_one_login_and_the_session_ends_with_the_stack(pool: Pool, tmp_path: Path) -> None:
    with stack(pool, tmp_path) as xen:
        guests = xen.guest_list()
        for guest in guests * 3:
            xen.guest_info(guest.id)
        assert pool.simulator.counts[LOGIN] == 1
        (session,) = pool.all("session")
        assert session["originator"] == "simplestack"
    assert pool.count("session") == 0


def test_a_wrong_password_is_tried_once_and_refused_from_then_on_without_asking(
    pool: Pool, tmp_path: Path
) -> None:
    with stack(pool, tmp_path, "wrong") as xen:
        for _ in range(3):
            with pytest.raises(Unauthorized) as refused:
                xen.guest_list()
    assert "wrong" not in str(refused.value)
    assert pool.simulator.counts[LOGIN] == 1
    assert pool.count("session") == 0


def test_credentials_that_no_xapi_can_have_are_refused_without_asking(pool: Pool) -> None:
    for user, password in (("root\0", "x"), ("root", "se\ncret")):
        with pytest.raises(Unauthorized):
            connect(pool.target, Credentials(user, password), pool.settings())
    assert pool.simulator.counts[LOGIN] == 0


def test_a_user_who_may_only_read_is_told_so(pool: Pool, tmp_path: Path) -> None:
    with stack(pool, tmp_path, user="reader") as xen:
        guest = xen.guest_list()[0]
        with pytest.raises(PermissionDenied) as refused:
            xen.guest_start(guest.id)
    assert "RBAC_PERMISSION_DENIED" in refused.value.message


def test_a_session_that_xapi_has_ended_is_replaced_once_before_anything_was_done(
    pool: Pool, tmp_path: Path
) -> None:
    with stack(pool, tmp_path) as xen:
        guest = xen.guest_list()[0]
        pool.simulator.end_sessions()
        xen.guest_start(guest.id)
        assert pool.simulator.counts[LOGIN] == 2
        assert pool.simulator.counts["Async.VM.start"] == 1
        assert pool.count("session") == 1


def test_a_session_that_xapi_ends_at_once_again_is_not_replaced_for_ever(
    trust: Trust, tmp_path: Path
) -> None:
    simulator = Simulator(session_idle=timedelta(0))
    with running_pool(trust, simulator) as pool, stack(pool, tmp_path) as xen:
        with pytest.raises(HypervisorUnavailable):
            xen.guest_list()
        assert simulator.counts[LOGIN] <= 2


def test_a_session_expires_only_before_its_first_message_since_it_was_lent(
    pool: Pool, session: XenSession
) -> None:
    check(session)
    guest_list(session, ALL)
    pool.simulator.end_sessions()
    with pytest.raises(HypervisorUnavailable) as refused:
        guest_list(session, ALL)
    assert not isinstance(refused.value, SessionExpired)
    assert session.api.session not in str(refused.value)
    check(session)
    with pytest.raises(SessionExpired):
        guest_list(session, ALL)


#: Changes, each with the message that makes something, and one that follows it.
CHANGES: dict[str, tuple[Callable[[Stack, str], object], str, str]] = {
    "guest from a template": (
        lambda xen, _: xen.guest_create(GuestCreate(name="web", template="Debian Bookworm 12")),
        "Async.VM.clone",
        "Async.VM.provision",
    ),
    "guest from nothing": (
        lambda xen, _: xen.guest_create(GuestCreate(name="web", memory=256)),
        "VM.create",
        "VBD.create",
    ),
    "clone": (lambda xen, guest: xen.guest_clone(guest, "web"), "Async.VM.clone", "event.from"),
    "snapshot": (lambda xen, guest: xen.snapshot_create(guest, "now"), "Async.VM.snapshot", "event.from"),
    "disk": (lambda xen, guest: xen.disk_create(guest, DiskCreate(size=1)), "VDI.create", "VBD.create"),
    "interface": (
        lambda xen, guest: xen.network_interface_create(
            guest, NetworkInterfaceCreate(network="Pool-wide network 0")
        ),
        "VIF.create",
        "VIF.get_record",
    ),
}


@pytest.mark.parametrize("fault", [{"effect": "end sessions"}, {"code": "HOST_IS_SLAVE"}])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_whose_session_ends_half_way_is_not_made_again(
    pool: Pool, order: Callable[..., None], tmp_path: Path, change: str, fault: dict[str, str]
) -> None:
    perform, making, following = CHANGES[change]
    with stack(pool, tmp_path) as xen:
        guest = next(found.id for found in xen.guest_list() if found.name == "vm-0")
        pool.simulator.counts.clear()
        order(pool, following, **fault)
        with pytest.raises(HypervisorUnavailable, match="XAPI ended the session before"):
            perform(xen, guest)
        assert pool.simulator.counts[making] == 1
        assert pool.simulator.counts[LOGIN] == 0
        assert len(xen.guest_list()) >= 3, "the next request has a session of its own"
        assert pool.simulator.counts[LOGIN] == 1


@pytest.mark.parametrize("transfer", ["import", "export"])
def test_a_transfer_whose_session_ends_before_it_begins_is_not_begun_again(
    pool: Pool, order: Callable[..., None], tmp_path: Path, transfer: str
) -> None:
    with stack(pool, tmp_path) as xen:
        guest = next(found.id for found in xen.guest_list() if found.name == "vm-0")
        image = b"".join(xen.guest_export(guest).chunks)
        order(pool, transfer, effect="end sessions")
        pool.simulator.counts.clear()
        begin: dict[str, Callable[[], object]] = {
            "import": lambda: xen.guest_import(io.BytesIO(image), len(image), None),
            "export": lambda: xen.guest_export(guest),
        }
        with pytest.raises(HypervisorUnavailable, match=f"XAPI ended the session before the {transfer}"):
            begin[transfer]()
        assert (pool.simulator.counts["task.create"], pool.simulator.counts[LOGIN]) == (1, 0)


def test_a_session_is_shown_nowhere(pool: Pool, session: XenSession) -> None:
    secret = session.api.session
    assert secret.startswith("OpaqueRef:")
    assert secret not in repr(session)
    assert secret not in repr(session.api)
    with pytest.raises(XenAPI.Failure) as failed:
        session.api.read(str, "VM.get_by_uuid", secret)
    assert secret not in str(failed.value)


def test_logging_out_of_a_host_that_is_gone_is_no_error(trust: Trust) -> None:
    with running_pool(trust) as pool:
        session = connect(pool.target, Credentials(USER, PASSWORD), pool.settings())
    disconnect(session)


def test_a_slave_sends_its_clients_to_the_master(pool: Pool, trust: Trust, tmp_path: Path) -> None:
    with running_pool(trust, master_address=pool.host) as slave, stack(slave, tmp_path) as xen:
        assert len(xen.guest_list()) == 3
        assert slave.simulator.counts[LOGIN] == 1
        assert pool.simulator.counts[LOGIN] == 1


def test_a_pool_whose_master_changes_is_followed_to_the_new_one(
    pool: Pool, trust: Trust, tmp_path: Path
) -> None:
    """The host of before is a slave from then on, and says so in answer to whatever it is asked."""
    with running_pool(trust, pool.simulator) as other, stack(other, tmp_path) as xen:
        guest = xen.guest_list()[0]
        other.server.master_address = pool.host
        xen.guest_start(guest.id)
        assert xen.guest_info(guest.id).state == "STARTED"
        assert pool.simulator.counts["Async.VM.start"] == 1


def test_a_slave_cannot_send_its_clients_to_a_host_that_is_not_allowed(
    pool: Pool, trust: Trust, tmp_path: Path
) -> None:
    elsewhere = f"127.0.0.2:{pool.server.port}"
    with (
        running_pool(trust, master_address=elsewhere) as slave,
        stack(slave, tmp_path) as xen,
        pytest.raises(HostNotAllowed) as refused,
    ):
        xen.guest_list()
    assert "127.0.0.2" in refused.value.message
    assert sum(pool.simulator.counts.values()) == 0


@pytest.mark.parametrize("master", ["http://evil/", "", "a b"])
def test_a_slave_that_names_no_host_is_not_followed(trust: Trust, tmp_path: Path, master: str) -> None:
    with (
        running_pool(trust, master_address=master) as slave,
        stack(slave, tmp_path) as xen,
        pytest.raises(HypervisorUnavailable),
    ):
        xen.guest_list()


def test_two_hosts_that_take_each_other_for_the_master_are_left_alone(trust: Trust, tmp_path: Path) -> None:
    with (
        running_pool(trust, master_address="-") as first,
        running_pool(trust, master_address=first.host) as second,
    ):
        first.server.master_address = second.host
        with stack(first, tmp_path) as xen, pytest.raises(HypervisorUnavailable):
            xen.guest_list()
        assert (first.simulator.counts[LOGIN], second.simulator.counts[LOGIN]) == (1, 1)


def test_a_refusal_of_the_login_other_than_the_password_is_translated(
    pool: Pool, order: Callable[..., None]
) -> None:
    order(pool, LOGIN, code="HOST_STILL_BOOTING")
    with pytest.raises(XenAPI.Failure) as failed:
        connect(pool.target, Credentials(USER, PASSWORD), pool.settings())
    assert isinstance(translate(failed.value), HypervisorUnavailable)


def test_a_started_guest_is_shown_with_what_its_tools_tell(pool: Pool, session: XenSession) -> None:
    vm = pool.vm()
    guest_start(session, vm["uuid"])
    shown = guest_info(session, vm["uuid"])
    assert (shown.state, shown.host, shown.tools_up_to_date) == ("STARTED", "xen-1", True)
    assert shown.ip is not None
