"""Imports of guests: what becomes of images."""

import gzip
import io
import re
import tarfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from core.appliances.test_foreign_descriptors import VIRTUALBOX_2, VMWARE
from simplestack import (
    MIB,
    EntityNotFound,
    InvalidArguments,
)
from simplestack.appliances import (
    ApplianceInterface,
    chunk_name,
)
from simplestack_vmware.hooks.disks import disk_list
from simplestack_vmware.hooks.guests import guest_info, guest_list
from simplestack_vmware.hooks.guests_export import guest_export
from simplestack_vmware.hooks.interfaces import network_interface_list
from simulators.vsphere.nfc_server import NfcServer
from support.vsphere import Host

from .conftest import Connect
from .transfers import Everything, fill, random_disk, raw_content, received, unpacked
from .uploads import FIRST, SECOND, Slow, contents, described, disk, load, packed


def test_an_appliance_becomes_a_guest_with_its_disks(
    host: Host, leases: NfcServer, log_in: Connect, archive: bytes, tmp_path: Path
) -> None:
    session = log_in(host)
    made = load(session, archive, size=len(archive))
    assert (made.name, made.cpus, made.memory, made.hdd) == ("imported", 2, 64, 12 / 1024)
    assert made.paravirtualized
    assert made in guest_list(session, frozenset(type(made).__struct_fields__))
    assert contents(session, made.id, tmp_path) == [FIRST, SECOND]
    assert host.simulator.leases.held() == []


def test_an_export_is_imported_again(
    host: Host, leases: NfcServer, log_in: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = log_in(host)
    raw = random_disk(40 * MIB)
    fill(host, "vm-1/vm-1.vmdk", raw)
    first = received(guest_export(session, "vm-1"))
    made = [load(session, first), load(session, gzip.compress(first, 1))]
    assert [each.name for each in made] == ["vm-1 (2)", "vm-1 (3)"]
    assert "'vm-1 (2)'" in caplog.text
    original = guest_info(session, "vm-1")
    for each in made:
        assert (each.cpus, each.memory, each.paravirtualized) == (
            original.cpus,
            original.memory,
            original.paravirtualized,
        )
        networks = [card.network for card in network_interface_list(session, each.id)]
        assert networks == [card.network for card in network_interface_list(session, original.id)]
        assert unpacked(received(guest_export(session, each.id))).disks == unpacked(first).disks
    found = unpacked(received(guest_export(session, made[1].id)))
    assert raw_content(tmp_path, found.disks["disk-1.vmdk"]) == raw


def test_disks_may_come_in_another_order_and_in_chunks(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes], tmp_path: Path
) -> None:
    session = log_in(with_leases)
    first = disks["disk-1.vmdk"]
    chunks = {
        chunk_name("disk-1.vmdk", number): first[at : at + 60_000]
        for number, at in enumerate(range(0, len(first), 60_000))
    }
    for size in (None, len(first)):
        own = disk(1, FIRST, chunk_bytes=60_000, file_bytes=size)
        image = packed(
            described(own, disk(2, SECOND), disk(3, FIRST, href=None)),
            {"disk-2.vmdk": disks["disk-2.vmdk"], "readme.txt": b"x"} | chunks,
        )
        made = load(session, image)
        assert contents(session, made.id, tmp_path) == [FIRST, SECOND, bytes(len(FIRST))]


def test_the_query_changes_what_the_image_says(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes]
) -> None:
    session = log_in(with_leases)
    cards = (ApplianceInterface(network="not here", model="vmxnet3"),)
    image = packed(described(disk(1, FIRST), interfaces=cards), disks)
    networks = ["production", "VM Network"]
    made = load(
        session,
        image,
        "shared-1",
        name="a/b%2f",
        memory=128,
        cpus=1,
        network=networks,
        firmware="uefi",
        start=True,
    )
    assert (made.name, made.memory, made.cpus, made.state) == ("a/b%2f", 128, 1, "STARTED")
    assert [card.network for card in network_interface_list(session, made.id)] == networks
    (vm,) = [each for each in with_leases.all(vim.VirtualMachine) if each["config"].instanceUuid == made.id]
    assert vm["config"].firmware == "efi"
    assert {each.extra_info.partition("]")[0] for each in disk_list(session, made.id) if each.extra_info} == {
        "[shared-1"
    }


@pytest.mark.usefixtures("leases")
@pytest.mark.parametrize("is_announced", [True, False])
def test_a_bare_disk_becomes_a_guest_that_the_query_describes(
    host: Host, log_in: Connect, disks: dict[str, bytes], tmp_path: Path, *, is_announced: bool
) -> None:
    session = log_in(host)
    body = disks["disk-1.vmdk"]
    size = len(body) if is_announced else None
    made = load(session, body, size=size, name="bare", memory=128, cpus=2, network=["VM Network"])
    assert (made.name, made.memory, made.cpus, made.paravirtualized) == ("bare", 128, 2, True)
    assert [card.network for card in network_interface_list(session, made.id)] == ["VM Network"]
    assert contents(session, made.id, tmp_path) == [FIRST]


def test_a_bare_disk_needs_a_description(with_leases: Host, log_in: Connect, disks: dict[str, bytes]) -> None:
    with pytest.raises(InvalidArguments, match=r"\?name=web&memory=1024"):
        load(log_in(with_leases), disks["disk-1.vmdk"], name="a")


def test_a_storage_or_a_network_that_is_not_there_is_404(
    with_leases: Host, log_in: Connect, archive: bytes
) -> None:
    session = log_in(with_leases)
    with pytest.raises(EntityNotFound, match="Storage:none"):
        load(session, archive, "none")
    with pytest.raises(EntityNotFound, match="Network:none"):
        load(session, archive, network=["none"])


@pytest.mark.parametrize("kind", ["no descriptor", "no disk", "twice", "qcow2"])
def test_an_archive_that_is_not_what_it_should_be_is_400(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes], kind: str
) -> None:
    before = Everything.of(with_leases)
    one = {"disk-1.vmdk": disks["disk-1.vmdk"]}
    bodies = {
        "no descriptor": packed(described(disk(1, FIRST)), one)[1024 * 8 :],
        "no disk": packed(described(disk(1, FIRST), disk(2, SECOND)), one),
        "twice": packed(described(disk(1, FIRST), disk(1, SECOND)), one),
        "qcow2": packed(described(disk(1, FIRST, format="qcow2")), one),
    }
    with pytest.raises(InvalidArguments):
        load(log_in(with_leases), bodies[kind])
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        info = tarfile.TarInfo("disk-1.vmdk")
        info.size = 10
        tar.addfile(info, io.BytesIO(bytes(10)))
    with pytest.raises(InvalidArguments, match="must begin with its OVF descriptor"):
        load(log_in(with_leases), plain.getvalue())
    assert Everything.of(with_leases) == before


def test_a_slow_client_does_not_lose_the_lease(
    with_leases: Host, log_in: Connect, archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_leases.simulator.leases.seconds = 1
    renewals = threading.Semaphore(0)
    renew = with_leases.simulator.leases.renew

    def seen(lease: Any) -> None:
        renew(lease)
        renewals.release()

    monkeypatch.setattr(with_leases.simulator.leases, "renew", seen)

    def wait() -> None:
        for _ in range(8):
            assert renewals.acquire(timeout=20)

    session = log_in(with_leases)
    made = load(session, Slow(archive, len(archive) // 3, wait))
    assert contents(session, made.id, tmp_path) == [FIRST, SECOND]


def test_an_import_takes_few_calls(with_leases: Host, log_in: Connect, archive: bytes) -> None:
    session = log_in(with_leases)
    load(session, archive)
    with_leases.calls()
    load(session, archive)
    calls = with_leases.calls()
    calls.pop("WaitForUpdatesEx")
    assert calls == {
        "RetrievePropertiesEx": 2,
        "CreateImportSpec": 1,
        "ImportVApp": 1,
        "CreateFilter": 1,
        "FindAllByUuid": 1,
        "HttpNfcLeaseComplete": 1,
    }


def tar(files: Mapping[str, bytes]) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return output.getvalue()


def test_an_appliance_of_another_vsphere_is_imported(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    content = disks["disk-1.vmdk"]
    document = VMWARE.replace('ovf:size="1000"', f'ovf:size="{len(content)}"')
    document = document.replace("</VirtualSystem>", f"{SETTING}</VirtualSystem>")
    # The simulator reads neither limits nor deployment configurations.
    document = re.sub(r"<Item ovf:(bound|configuration)=.*?</Item>", "", document)
    body = tar({"web 1.ovf": document.encode(), "web 1-disk1.vmdk": content, "web 1.nvram": b"x"})
    session = log_in(with_leases)
    made = load(session, body)
    assert (made.name, made.memory, made.hdd, made.paravirtualized) == ("web 1", 2048, 16, True)
    assert [card.network for card in network_interface_list(session, made.id)] == ["VM Network"]
    assert "'web 1.nvram'" in caplog.text


SETTING = '<vmw:ExtraConfig ovf:required="false" vmw:key="a" vmw:value="b"/>'


def test_an_appliance_that_vsphere_does_not_understand_is_400(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes]
) -> None:
    before = Everything.of(with_leases)
    body = tar({"box.ovf": VIRTUALBOX_2.encode(), "box-disk001.vmdk": disks["disk-1.vmdk"]})
    with pytest.raises(InvalidArguments, match="vSphere cannot import the appliance"):
        load(log_in(with_leases), body, network=["VM Network"])
    assert Everything.of(with_leases) == before
