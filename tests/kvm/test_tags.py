"""Tags on a real libvirtd: none is lost, and nothing else of a guest's metadata changes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import libvirt
import pytest

from simplestack import DiskCreate, EntityNotFound
from simplestack_kvm.hooks.disks import disk_create, disk_delete, disk_list
from simplestack_kvm.hooks.tags import tag_create, tag_delete, tag_list
from simplestack_kvm.libvirtd.connection.abandoned import Abandoned
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .interference import after
from .test_guests import round_trips

PAUSED = libvirt.VIR_DOMAIN_START_PAUSED
INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE
NOTE = "<metadata><note xmlns='urn:somebody:else'>keep &lt;me&gt;</note></metadata>"


@contextmanager
def clients(session: KvmSession, libvirtd: Libvirtd, number: int) -> Iterator[list[KvmSession]]:
    """Give sessions of several clients."""
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(libvirt.open(libvirtd.uri))) for _ in range(number)]
        yield [replace(session, connection=each, abandoned=Abandoned()) for each in connections]


@pytest.mark.parametrize("running", [False, True])
def test_clients_that_tag_a_guest_at_the_same_time_keep_each_others_tags(
    session: KvmSession, libvirtd: Libvirtd, running: bool
) -> None:
    with (
        foreign(session.connection) as domain,
        clients(session, libvirtd, 4) as others,
        ThreadPoolExecutor(4) as executor,
    ):
        if running:
            domain.createWithFlags(PAUSED)
        guest_id = domain.UUIDString()
        names = [f"tag {number}" for number in range(24)]
        adding = [
            executor.submit(tag_create, others[number % 4], guest_id, name)
            for number, name in enumerate(names)
        ]
        assert all(name in task.result() for name, task in zip(names, adding, strict=True))
        assert tag_list(session, guest_id) == sorted(names)
        removing = [
            executor.submit(tag_delete, others[number % 4], guest_id, name)
            for number, name in enumerate(names[1:])
        ]
        assert [task.result() for task in removing] == [None] * len(removing)
        assert tag_list(session, guest_id) == names[:1]


def test_a_tag_that_another_client_adds_in_between_stays(session: KvmSession, libvirtd: Libvirtd) -> None:
    with (
        foreign(session.connection) as domain,
        clients(session, libvirtd, 1) as (other,),
        ThreadPoolExecutor(1) as executor,
    ):
        guest_id = domain.UUIDString()
        tag_create(session, guest_id, "old")

        def add_theirs() -> None:
            executor.submit(tag_create, other, guest_id, "theirs").result()

        for function in ("virDomainLookupByUUIDString", "virDomainIsPersistent"):
            with after(function, add_theirs, nth=1):
                assert tag_create(session, guest_id, "mine") == ["mine", "old", "theirs"]
            tag_delete(session, guest_id, "theirs")
        with after("virDomainGetXMLDesc", add_theirs, nth=1):
            tag_delete(session, guest_id, "old")
        assert tag_list(session, guest_id) == ["mine", "theirs"]


@pytest.mark.parametrize("running", [False, True])
def test_metadata_of_others_and_the_names_of_disks_stay(
    session: KvmSession, libvirtd: Libvirtd, running: bool
) -> None:
    with foreign(session.connection, machine="pc", extra=NOTE) as domain:
        guest_id = domain.UUIDString()
        disk_create(session, guest_id, DiskCreate(size=1, name="data", storage_id=libvirtd.pool))
        if running:
            domain.createWithFlags(PAUSED)
        tag_create(session, guest_id, "web")
        tag_create(session, guest_id, "blue")
        tag_delete(session, guest_id, "web")
        for flags in (0, INACTIVE):
            assert "keep &lt;me&gt;</note>" in domain.XMLDesc(flags)
            assert "tag:blue" in domain.XMLDesc(flags)
            assert "tag:web" not in domain.XMLDesc(flags)
        assert [disk.name for disk in disk_list(session, guest_id)] == ["data"]
        if running:
            domain.destroy()
        disk_delete(session, guest_id, "vda")
        assert tag_list(session, guest_id) == ["blue"]


def test_a_tag_is_kept_as_it_was_written(session: KvmSession) -> None:
    names = sorted(
        [
            "</metadata>",
            "a&b",
            "\"'",
            "%41",
            "A",
            "a",
            " ",
            "{urn:x}y",
            "\ufffe",
            "urn:simplestack:kvm:tag:",
            "x" * 255,
            "é" * 255,
            "\U0001f600",
        ]
    )
    with foreign(session.connection) as domain:
        for name in names:
            tag_create(session, domain.UUIDString(), name)
        session.connection.defineXML(domain.XMLDesc(INACTIVE))  # as an editor of definitions does
        assert tag_list(session, domain.UUIDString()) == names
        for name in names:
            tag_delete(session, domain.UUIDString(), name)
        assert "simplestack" not in domain.XMLDesc(INACTIVE)
        with pytest.raises(EntityNotFound, match="Tag"):
            tag_delete(session, domain.UUIDString(), "a")


def test_a_tag_of_a_saved_guest_is_there_when_it_runs_again(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        guest_id = domain.UUIDString()
        domain.create()
        tag_create(session, guest_id, "before")
        domain.managedSave(0)
        tag_create(session, guest_id, "while saved")
        tag_delete(session, guest_id, "before")
        domain.create()
        assert tag_list(session, guest_id) == ["while saved"]
        assert tag_create(session, guest_id, "after") == ["after", "while saved"]


def test_a_guest_that_stops_while_it_is_tagged_has_the_tag(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        domain.createWithFlags(PAUSED)
        with after("virDomainIsPersistent", domain.destroy, nth=1):
            assert tag_create(session, domain.UUIDString(), "web") == ["web"]


def test_the_tags_of_a_guest_that_is_defined_nowhere_are_those_that_it_runs_with(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        domain.createWithFlags(PAUSED)
        domain.undefine()
        assert tag_create(session, domain.UUIDString(), "web") == ["web"]
        tag_delete(session, domain.UUIDString(), "web")
        assert tag_list(session, domain.UUIDString()) == []


def test_tags_cost_the_same_few_calls_however_many_there_are(session: KvmSession) -> None:
    with foreign(session.connection) as domain:
        guest_id = domain.UUIDString()
        for number in range(10):
            tag_create(session, guest_id, f"tag {number}")
        assert round_trips(lambda: tag_list(session, guest_id)) == 3
        assert round_trips(lambda: tag_create(session, guest_id, "web")) == 6
        assert round_trips(lambda: tag_delete(session, guest_id, "web")) == 6
