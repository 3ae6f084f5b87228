"""The kit finds what is wrong with a plugin: the mock, each time with one defect of its own."""

from pathlib import Path

import pytest

from support.conformance import run_kit
from support.distributions import install
from support.listing import good

_BROKEN = """
import dataclasses, types
from msgspec.structs import replace
from simplestack.mock import plugin as mock
from simplestack.mock.hooks import disks, guests, guests_create, guests_update, media, networks, power
from simplestack.mock.hooks import snapshots, storages, tags, transfer

{defect}

def spoilt(module):
    made = types.ModuleType(module.__name__ + "_spoilt")
    vars(made).update(vars(module))
    vars(made).update({{name: its for name, its in DEFECT.items() if name in vars(module)}})
    return made

plugin = dataclasses.replace(mock, name="broken", hooks=tuple(map(spoilt, mock.hooks)), examples=None)
"""

_DEFECTS = {
    "memory in KiB": (
        """
@hookimpl
def guest_info(session, guest_id):
    shown = guests.guest_info(session, guest_id)
    return replace(shown, memory=shown.memory * 1024)
DEFECT = {"guest_info": guest_info}
""",
        "guests",
        "test_a_new_guest_has_what_was_asked_for",
    ),
    "a disk of another guest is shown": (
        """
@hookimpl
def disk_info(session, guest_id, disk_id):
    for guest in guests.guest_list(session):
        for disk in disks.disk_list(session, guest.id):
            if disk.id == disk_id:
                return disk
    raise EntityNotFound("Disk", disk_id)
DEFECT = {"disk_info": disk_info}
""",
        "disks",
        "another",
    ),
    "a snapshot of another guest is deleted": (
        """
@hookimpl
def snapshot_delete(session, guest_id, snapshot_id):
    for guest in guests.guest_list(session):
        for snapshot in snapshots.snapshot_list(session, guest.id):
            if snapshot.id == snapshot_id:
                return snapshots.snapshot_delete(session, guest.id, snapshot_id)
    raise EntityNotFound("Snapshot", snapshot_id)
DEFECT = {"snapshot_delete": snapshot_delete}
""",
        "snapshots",
        "another",
    ),
    "a revert that does nothing": (
        """
@hookimpl
def snapshot_revert(session, guest_id, snapshot_id):
    return snapshots.snapshot_info(session, guest_id, snapshot_id)
DEFECT = {"snapshot_revert": snapshot_revert}
""",
        "snapshots",
        "revert",
    ),
    "a failed create leaves a guest": (
        """
@hookimpl
def guest_create(session, guest: GuestCreate) -> Guest:
    for interface in guest.network_interfaces:
        if interface.network.endswith("nowhere"):
            guests_create.guest_create(session, replace(guest, network_interfaces=[]))
            raise EntityNotFound("Network", interface.network)
    return guests_create.guest_create(session, guest)
DEFECT = {"guest_create": guest_create}
""",
        "guests",
        "leaves_nothing_behind",
    ),
    "a guest that runs is started again": (
        """
@hookimpl
def guest_start(session, guest_id):
    if guests.guest_info(session, guest_id).state == "STOPPED":
        power.guest_start(session, guest_id)
DEFECT = {"guest_start": guest_start}
""",
        "power",
        "start-STARTED",
    ),
    "an error that nobody translated": (
        """
@hookimpl
def media_mount(session, guest_id, name):
    if name.startswith("simplestack-kit"):
        raise KeyError(name)
    media.media_mount(session, guest_id, name)
DEFECT = {"media_mount": media_mount}
""",
        "media",
        "test_an_iso",
    ),
    "a tag that is not kept": (
        """
@hookimpl
def tag_create(session, guest_id, name):
    return sorted({*tags.tag_list(session, guest_id), name})
DEFECT = {"tag_create": tag_create}
""",
        "tags",
        "tag",
    ),
    "a guest that an empty id finds": (
        """
@hookimpl
def guest_info(session, guest_id):
    return guests.guest_list(session)[0] if guest_id == "" else guests.guest_info(session, guest_id)
DEFECT = {"guest_info": guest_info}
""",
        "ids",
        "test_a_plugin_finds_nothing",
    ),
    "an export without what is on the disks": (
        """
import io, json, tarfile

@hookimpl
def guest_export(session, guest_id):
    whole = b"".join(transfer.guest_export(session, guest_id).chunks)
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        manifest = json.load(archive.extractfile("simplestack-mock.json"))
    image = io.BytesIO()
    with tarfile.open(fileobj=image, mode="w") as archive:
        text = json.dumps(manifest).encode()
        member = tarfile.TarInfo("guest.json")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return Export(iter([image.getvalue()]), len(image.getvalue()))

@hookimpl
def guest_import(session, stream, size, storage_id, description):
    try:
        with tarfile.open(fileobj=io.BytesIO(stream.read(10**6)), mode="r:") as archive:
            made = json.load(archive.extractfile("guest.json"))
    except (tarfile.TarError, ValueError):
        raise InvalidArguments("no image") from None
    return guests_create.guest_create(session, GuestCreate(
        name=made["name"], memory=made["memory_mib"], cpus=made["cpus"],
        paravirtualized=made["paravirtualized"], storage=storage_id,
        disks=[NewDisk(size=disk["size_bytes"] / 1024**3) for disk in made["disks"]],
        network_interfaces=[NewNetworkInterface(network=its["network"]) for its in made["interfaces"]]))
DEFECT = {"guest_export": guest_export, "guest_import": guest_import}
""",
        "transfer",
        "test_a_guest_that_never_ran_is_the_same",
    ),
    "a deleted guest leaves the space of its snapshots taken": (
        """
@hookimpl
def guest_delete(session, guest_id):
    taken = snapshots.snapshot_list(session, guest_id)
    guests.guest_delete(session, guest_id)
    for _ in taken:
        disks.disk_create(session, guests.guest_list(session)[0].id, DiskCreate(size=1))
DEFECT = {"guest_delete": guest_delete}
""",
        "snapshots",
        "test_a_guest_is_deleted_with_its_snapshots_and_gives_their_space_back",
    ),
    "of two updates at once both are rejected": (
        """
waiting = []

@hookimpl
def guest_update(session, guest_id, changes: GuestUpdate) -> Guest:
    waiting.append(guest_id)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        if waiting.count(guest_id) % 2 == 0:
            raise Busy("another update of the guest is under way")
    waiting.remove(guest_id)
    return guests_update.guest_update(session, guest_id, changes)
DEFECT = {"guest_update": guest_update}
""",
        "concurrency",
        "test_two_clients_that_change_different_fields_are_both_applied",
    ),
    "storages in bytes": (
        """
@hookimpl
def storage_list(session):
    return [replace(found, allocated_space=found.allocated_space * 1024**3)
            for found in storages.storage_list(session)]
DEFECT = {"storage_list": storage_list}
""",
        "storages",
        "test_a_new_disk_is_promised_its_gib",
    ),
}

#: The defects that only the kit's tests of HTTP can find. The others are looked for through `Stack` alone.
_SHOWN_BY_HTTP = {"a guest that an empty id finds"}


@pytest.mark.parametrize("name", _DEFECTS)
def test_the_kit_fails_on(name: str, tmp_path: Path) -> None:
    defect, module, test = _DEFECTS[name]
    install(tmp_path / "plugins", "broken", _BROKEN.format(defect=defect))
    done = run_kit(
        tmp_path / "run",
        *("--hypervisor", "broken", "--host", "kit", "--any-password", "-k", f"test_{module}.py"),
        *("--image", "debian-12.img", "--iso", "virtio-win.iso", "--trunk", "Pool network"),
        plugins=tmp_path / "plugins",
        ways=("http" if name in _SHOWN_BY_HTTP else "stack",),
    )
    assert done.status == 1, done.output
    failed = [line for line in done.output.splitlines() if line.startswith("_") and line.endswith("_")]
    assert any(test in line for line in failed), done.output


def test_what_a_plugin_leaves_behind_fails_the_run_by_name(tmp_path: Path) -> None:
    defect, _, _ = _DEFECTS["a failed create leaves a guest"]
    install(tmp_path / "plugins", "broken", _BROKEN.format(defect=defect))
    done = run_kit(
        tmp_path / "run",
        *("--hypervisor", "broken", "--host", "kit", "--any-password", "-k", "test_sessions.py"),
        *("--image", "debian-12.img", "--iso", "virtio-win.iso", "--trunk", "Pool network"),
        plugins=tmp_path / "plugins",
        ways=("stack",),
    )
    assert done.status == 1, done.output
    assert "TARGET NOT AS BEFORE: guest simplestack-kit-" in done.output


def test_a_guest_that_was_there_before_is_not_deleted_though_a_plugin_calls_it_new(tmp_path: Path) -> None:
    defect = """
@hookimpl
def guest_clone(session, guest_id, name, cloud_init):
    guests.guest_clone(session, guest_id, name, cloud_init)
    return next(guest for guest in guests.guest_list(session) if guest.name == "database")
DEFECT = {"guest_clone": guest_clone}
"""
    install(tmp_path / "plugins", "broken", _BROKEN.format(defect=defect))
    done = run_kit(
        tmp_path / "run",
        *("--hypervisor", "broken", "--host", "kit", "--any-password", "-k", "test_clones.py"),
        *("--image", "debian-12.img", "--iso", "virtio-win.iso", "--trunk", "Pool network"),
        plugins=tmp_path / "plugins",
        ways=("stack",),
    )
    assert done.status == 1, done.output
    assert "as a new guest, but this guest was on the host before the run" in done.output
    assert "guest database (" not in done.output


def test_options_that_are_missing_are_named_with_what_needs_them(tmp_path: Path) -> None:
    done = run_kit(tmp_path, "--hypervisor", "mock", "--host", "kit", "--any-password")
    assert done.status != 0
    for option in ("--image or --template", "--iso", "--trunk"):
        assert f"{option}: mock implements " in done.output


def test_a_wrong_password_must_be_rejected_unless_the_target_lets_all_in(tmp_path: Path) -> None:
    done = run_kit(
        tmp_path,
        *("--hypervisor", "mock", "--host", "kit", "-k", "test_a_wrong_password"),
        *("--image", "debian-12.img", "--iso", "virtio-win.iso", "--trunk", "Pool network"),
    )
    assert done.status == 1
    assert "must fail with Unauthorized" in done.output


def test_the_kit_says_why_the_plugin_is_not_loaded(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    install(plugins, "bad", f"{good('bad')}@hookimpl\ndef guest_lsit(session): ...\n")
    run = run_kit(tmp_path / "kit", "--hypervisor", "bad", "--host", "h", "--username", "u", plugins=plugins)
    assert run.status == 4
    assert "'bad' is installed but could not be loaded" in run.output
    assert "plugin_bad.guest_lsit: unknown hook 'guest_lsit'; did you mean 'guest_list'?" in run.output
