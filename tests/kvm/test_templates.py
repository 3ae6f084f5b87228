"""Templates on a real libvirtd: guests that are in no list, do not start, and are copied."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import libvirt
import pytest

from simplestack import (
    Guest,
    GuestCreate,
    GuestState,
    GuestUpdate,
    InvalidState,
)
from simplestack_kvm.hooks.guests import guest_clone, guest_delete, guest_info, guest_list
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.power import guest_reboot, guest_resume, guest_shutdown, guest_start
from simplestack_kvm.hooks.snapshots import snapshot_create, snapshot_revert
from simplestack_kvm.hooks.tags import tag_create, tag_list
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .interference import after
from .snapshot_guests import a_guest, domain_of
from .test_guests import ALL_FIELDS, round_trips


@pytest.fixture
def guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Guest]:
    """Give a stopped guest with two disks of 1 GiB. No mark of it stays."""
    with a_guest(session, libvirtd) as guest:
        yield guest
    assert not [usage for usage in marks(session) if guest.id in usage]


@pytest.fixture
def other(session: KvmSession, libvirtd: Libvirtd) -> Iterator[KvmSession]:
    """Give a second session, as of another worker."""
    connection = libvirt.open(libvirtd.uri)
    yield KvmSession(connection, session.settings, session.target)
    connection.close()


def marks(session: KvmSession) -> set[str]:
    return {secret.usageID() for secret in session.connection.listAllSecrets()}


def set_template(session: KvmSession, guest: Guest, value: bool) -> Guest:
    return guest_update(session, guest.id, GuestUpdate(template=value))


def state(session: KvmSession, guest: Guest) -> tuple[set[str], str]:
    """Return what libvirt has of a guest that is off. It keeps an element of metadata that is empty."""
    text = domain_of(session, guest).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    return {usage for usage in marks(session) if guest.id in usage}, text.replace("  <metadata/>\n", "")


class BrokenError(Exception):
    """Stands for anything that can go wrong."""


def broken() -> None:
    raise BrokenError


def is_listed(session: KvmSession, guest: Guest, fields: frozenset[str] = ALL_FIELDS) -> bool:
    return guest.id in {listed.id for listed in guest_list(session, fields)}


def test_a_template_is_shown_and_not_listed_and_does_not_start(session: KvmSession, guest: Guest) -> None:
    tag_create(session, guest.id, "web")
    for _ in range(2):
        assert set_template(session, guest, True) == guest
    for fields in (ALL_FIELDS, frozenset({"id"}), frozenset({"id", "name", "state"})):
        assert not is_listed(session, guest, fields)
    assert guest_info(session, guest.id) == guest
    assert tag_list(session, guest.id) == ["web"]
    calls: list[Callable[[], object]] = [
        lambda: guest_start(session, guest.id),
        lambda: guest_resume(session, guest.id),
        lambda: guest_reboot(session, guest.id, force=True),
    ]
    for call in calls:
        with pytest.raises(InvalidState, match="`template` false") as caught:
            call()
        assert caught.value.details["current"] == "TEMPLATE"
    for _ in range(2):
        assert set_template(session, guest, False) == guest
    assert is_listed(session, guest)
    assert tag_list(session, guest.id) == ["web"]
    guest_start(session, guest.id)


def test_what_one_session_changes_the_next_list_of_another_shows(
    session: KvmSession, other: KvmSession, guest: Guest
) -> None:
    for _ in range(20):
        set_template(session, guest, True)
        assert not is_listed(other, guest)
        set_template(session, guest, False)
        assert is_listed(other, guest)


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_copy_of_a_template_is_a_guest(session: KvmSession, guest: Guest, by: str) -> None:
    set_template(session, guest, True)
    tag_create(session, guest.id, "web")
    made = guest_create(session, GuestCreate(name="copied", template=getattr(guest, by), start=True))
    clone = guest_clone(session, guest.id, "cloned", None)
    try:
        assert made.state == GuestState.STARTED
        assert is_listed(session, made)
        assert is_listed(session, clone)
        guest_start(session, clone.id)
        assert tag_list(session, clone.id) == ["web"]
        assert not is_listed(session, guest)
    finally:
        for copy in (made, clone):
            domain_of(session, copy).destroy()
            guest_delete(session, copy.id)


def test_a_guest_that_is_not_stopped_does_not_become_a_template(session: KvmSession, guest: Guest) -> None:
    domain = domain_of(session, guest)
    actions = [domain.create, domain.suspend, domain.resume, domain.managedSave]
    before = state(session, guest)
    for action, current in zip(actions, ["STARTED", "PAUSED", "STARTED", "PAUSED"], strict=True):
        action()
        with pytest.raises(InvalidState, match=current):
            set_template(session, guest, True)
    assert state(session, guest) == before


def test_a_guest_that_is_started_meanwhile_does_not_become_a_template(
    session: KvmSession, guest: Guest
) -> None:
    domain = domain_of(session, guest)
    domain.setAutostart(1)
    before = state(session, guest)
    with after("virSecretDefineXML", domain.create, nth=1), pytest.raises(InvalidState, match="STARTED"):
        set_template(session, guest, True)
    assert state(session, guest) == before
    assert domain.autostart() == 1
    assert is_listed(session, guest)


@pytest.mark.parametrize("was", [False, True])
def test_a_change_that_fails_leaves_what_the_guest_was(session: KvmSession, guest: Guest, was: bool) -> None:
    set_template(session, guest, was)
    before = state(session, guest)
    growing = "virStorageVolResize"  # the last step
    changes = GuestUpdate(template=not was, hdd=3)
    with after(growing, broken), pytest.raises(BrokenError):
        guest_update(session, guest.id, changes)
    assert state(session, guest) == before


def test_the_flag_is_kept_when_another_tool_changes_the_guest(session: KvmSession, guest: Guest) -> None:
    set_template(session, guest, True)
    domain = domain_of(session, guest)
    document = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert "urn:simplestack:kvm:template" in document
    session.connection.defineXML(document.replace("<vcpu", "<title>edited</title><vcpu"))
    nothing: Any = None  # the binding's own annotation says str
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, "theirs", nothing, nothing)
    assert not is_listed(session, guest)
    with pytest.raises(InvalidState):
        guest_start(session, guest.id)
    # A tool that defines it from a file of its own drops the metadata. It is still the same guest.
    without = document[: document.index("<metadata>")] + document[document.index("</metadata>") + 11 :]
    session.connection.defineXML(without)
    assert not is_listed(session, guest)
    with pytest.raises(InvalidState):
        guest_start(session, guest.id)
    set_template(session, guest, False)
    guest_start(session, guest.id)


def test_a_template_whose_mark_is_lost_is_listed_and_does_not_start(
    session: KvmSession, guest: Guest
) -> None:
    set_template(session, guest, True)
    for secret in session.connection.listAllSecrets():
        if guest.id in secret.usageID():
            secret.undefine()
    assert is_listed(session, guest)
    with pytest.raises(InvalidState, match="a template"):
        guest_start(session, guest.id)
    set_template(session, guest, True)
    assert not is_listed(session, guest)


def test_a_template_that_another_tool_starts_is_listed_while_it_runs(
    session: KvmSession, guest: Guest
) -> None:
    set_template(session, guest, True)
    domain_of(session, guest).create()
    assert is_listed(session, guest)
    guest_shutdown(session, guest.id, force=True)
    assert not is_listed(session, guest)


def test_a_deleted_template_leaves_nothing_and_the_secrets_of_others_stay(session: KvmSession) -> None:
    made = guest_create(session, GuestCreate(name=f"template-{uuid.uuid4().hex[:8]}", memory=32))
    usage = f"<usage type='tls'><name>theirs-{made.id}</name></usage>"
    theirs = session.connection.secretDefineXML(f"<secret ephemeral='no' private='no'>{usage}</secret>")
    try:
        set_template(session, made, True)
        assert {f"simplestack-template:{made.id}", f"theirs-{made.id}"} <= marks(session)
        guest_delete(session, made.id)
        assert {usage for usage in marks(session) if made.id in usage} == {f"theirs-{made.id}"}
    finally:
        theirs.undefine()


def test_a_mark_without_a_guest_goes_with_the_next_change_and_no_other_does(
    session: KvmSession, guest: Guest
) -> None:
    with foreign(session.connection) as domain:
        deleted = domain.UUIDString()
        guest_update(session, deleted, GuestUpdate(template=True))
    assert [usage for usage in marks(session) if deleted in usage]
    with foreign(session.connection) as domain:
        kept = domain.UUIDString()
        guest_update(session, kept, GuestUpdate(template=True))
        before = {usage for usage in marks(session) if "simplestack" not in usage or kept in usage}
        set_template(session, guest, True)
        assert marks(session) == before | {f"simplestack-template:{guest.id}"}
        guest_delete(session, kept)


def test_a_template_does_not_start_with_its_host(
    session: KvmSession, guest: Guest, warnings: list[str]
) -> None:
    domain_of(session, guest).setAutostart(1)
    set_template(session, guest, True)
    assert domain_of(session, guest).autostart() == 0
    assert warnings == ["the guest no longer starts together with its host"]


def test_a_template_is_not_reverted_to_when_it_ran(session: KvmSession, guest: Guest) -> None:
    off = snapshot_create(session, guest.id, "off")
    guest_start(session, guest.id)
    running = snapshot_create(session, guest.id, "running")
    guest_shutdown(session, guest.id, force=True)
    set_template(session, guest, True)
    with pytest.raises(InvalidState, match="a template"):
        snapshot_revert(session, guest.id, running.id)
    assert guest_info(session, guest.id).state == GuestState.STOPPED
    snapshot_revert(session, guest.id, off.id)
    assert not is_listed(session, guest)
    with pytest.raises(InvalidState, match="a template"):
        guest_start(session, guest.id)


def test_templates_cost_a_list_one_round_trip_however_many(session: KvmSession) -> None:
    made = [
        guest_create(session, GuestCreate(name=f"t{number}-{uuid.uuid4().hex[:8]}", memory=32))
        for number in range(5)
    ]
    try:
        guest_list(session, ALL_FIELDS)
        before = round_trips(lambda: guest_list(session, ALL_FIELDS))
        for guest in made:
            set_template(session, guest, True)
        assert round_trips(lambda: guest_list(session, ALL_FIELDS)) <= before
        assert round_trips(lambda: guest_list(session, frozenset({"id", "name"}))) == 2
    finally:
        for guest in made:
            guest_delete(session, guest.id)


def test_a_host_without_secrets_lists_guests_and_has_no_templates(
    session: KvmSession, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        error = libvirt.libvirtError("virConnectListAllSecrets() failed")
        error.err = (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_FROM_NONE, "no secrets", 2, "", "", "", -1, -1)
        raise error

    for name in ("listAllSecrets", "secretLookupByUsage", "secretDefineXML"):
        monkeypatch.setattr(libvirt.virConnect, name, unsupported)
    before = domain_of(session, guest).XMLDesc()
    assert is_listed(session, guest)
    with pytest.raises(NotImplementedError, match="keeps no secrets"):
        set_template(session, guest, True)
    assert domain_of(session, guest).XMLDesc().replace("  <metadata/>\n", "") == before
    guest_start(session, guest.id)
    monkeypatch.undo()
