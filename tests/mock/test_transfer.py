import io
import json
import tarfile
import tracemalloc
from collections.abc import Callable

import pytest

from simplestack import (
    CHUNK_BYTES,
    DiskUpdate,
    EntityNotFound,
    Guest,
    GuestState,
    GuestUpdate,
    InsufficientStorage,
    InvalidArguments,
    InvalidState,
    NetworkCreate,
    NetworkInterfaceUpdate,
)
from simplestack.mock import MockSession
from simplestack.mock.hooks import (
    disks,
    guests,
    guests_update,
    interfaces,
    media,
    networks,
    power,
    storages,
    tags,
    transfer,
)
from support.known import known

from .images import contents, exported, imported


def disks_of(session: MockSession, guest_id: str) -> list[tuple[str, str, float | None]]:
    return [(disk.name, disk.number, disk.size) for disk in disks.disk_list(session, guest_id)]


class Dribble:
    """A stream that gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int, /) -> bytes:
        return self._data.read(min(size, self._step))


class Zeros:
    """A long stream that takes no memory."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int, /) -> bytes:
        size = min(size, self._left)
        self._left -= size
        return bytes(size)


def test_an_export_is_a_tar_of_the_length_that_it_says(session: MockSession, stopped: Guest) -> None:
    export = transfer.guest_export(session, stopped.id)
    image = b"".join(export.chunks)
    assert export.size == len(image)
    assert image[257:262] == b"ustar"
    with tarfile.open(fileobj=io.BytesIO(image)) as archive:
        assert archive.getnames() == ["simplestack-mock.json", "disk-0.raw", "disk-1.raw"]
        manifest = json.load(archive.extractfile("simplestack-mock.json") or io.BytesIO())
        assert archive.getmember("disk-0.raw").size == manifest["disks"][0]["content_bytes"]
    assert (manifest["name"], manifest["memory_mib"]) == (stopped.name, stopped.memory)
    assert exported(session, stopped.id) == image


def test_a_deleted_guest_comes_back_equal_from_its_export(session: MockSession, stopped: Guest) -> None:
    media.media_mount(session, stopped.id, "virtio-win.iso")
    (interface,) = interfaces.network_interface_list(session, stopped.id)
    limited = interfaces.network_interface_update(
        session,
        stopped.id,
        interface.id,
        NetworkInterfaceUpdate(
            ratelimit=5000,
            ipv4_allowed=["192.0.2.7"],
            ipv6_allowed=["2001:db8::7"],
            locking_mode="locked",
            active=False,
        ),
    )
    image, shape = exported(session, stopped.id), disks_of(session, stopped.id)
    labels = tags.tag_list(session, stopped.id)
    guests.guest_delete(session, stopped.id)
    made = imported(session, image)
    assert made.id != stopped.id
    assert (made.name, made.cpus, made.memory, made.hdd) == ("database", 4, 8192, 120)
    assert made.state is GuestState.STOPPED
    assert disks_of(session, made.id) == shape
    assert interfaces.network_interface_list(session, made.id) == [limited]
    assert media.media_info(session, made.id).name == "virtio-win.iso"
    assert tags.tag_list(session, made.id) == labels
    assert exported(session, made.id) == image


def test_a_template_comes_back_as_a_template(session: MockSession, stopped: Guest) -> None:
    guests_update.guest_update(session, stopped.id, GuestUpdate(template=True))
    made = imported(session, exported(session, stopped.id))
    assert made.id not in [guest.id for guest in guests.guest_list(session)]
    with pytest.raises(InvalidState, match="while it is a template"):
        power.guest_start(session, made.id)


def test_a_grown_disk_keeps_what_was_on_it(session: MockSession, stopped: Guest) -> None:
    before = contents(exported(session, stopped.id))
    for disk in disks.disk_list(session, stopped.id):
        disks.disk_update(session, stopped.id, disk.id, DiskUpdate(size=known(disk.size) + 1))
    assert contents(exported(session, stopped.id)) == before
    assert [len(found) > 0 for found in before] == [True, True]


def test_an_import_beside_its_origin_gets_another_name_and_other_addresses(
    session: MockSession, stopped: Guest
) -> None:
    image = exported(session, stopped.id)
    names = [imported(session, image).name, imported(session, image).name]
    assert names == ["database (2)", "database (3)"]
    macs = {
        interface.mac
        for guest in guests.guest_list(session)
        for interface in interfaces.network_interface_list(session, guest.id)
    }
    assert len(macs) == 4


def test_a_long_name_is_cut_where_a_number_is_added(session: MockSession, stopped: Guest) -> None:
    guests_update.guest_update(session, stopped.id, GuestUpdate(name="x" * 255))
    assert imported(session, exported(session, stopped.id)).name == "x" * 251 + " (2)"


def test_an_import_into_another_world_finds_its_way(
    connect: Callable[..., MockSession], session: MockSession, stopped: Guest
) -> None:
    networks.network_vlan_create(session, NetworkCreate(name="v", from_network="Pool network", vlan=9))
    (interface,) = interfaces.network_interface_list(session, stopped.id)
    interfaces.network_interface_update(
        session, stopped.id, interface.id, NetworkInterfaceUpdate(network="v")
    )
    guests_update.guest_update(session, stopped.id, GuestUpdate(name="traveller"))
    other = connect("other")
    made = imported(other, exported(session, stopped.id))
    assert made.name == "traveller"
    (landed,) = interfaces.network_interface_list(other, made.id)
    assert (landed.mac, landed.network) == (interface.mac, "Pool network")


def test_disks_of_an_import_go_to_the_storage_that_is_named(session: MockSession, stopped: Guest) -> None:
    image = exported(session, stopped.id)
    local = storages.storage_list(session)[0]
    for named in (local.id, local.name):
        made = imported(session, image, named)
        places = [disk.extra_info for disk in disks.disk_list(session, made.id)]
        assert places == ["Local storage", "Local storage"]
    after = storages.storage_info(session, local.id)
    assert after.allocated_space == known(local.allocated_space) + 2 * known(made.hdd)


def test_an_import_of_unknown_length_in_small_pieces_is_read_to_its_end(
    session: MockSession, stopped: Guest
) -> None:
    image = exported(session, stopped.id)
    made = transfer.guest_import(session, Dribble(image, 997), None, None, None)
    guests.guest_delete(session, stopped.id)
    assert made.hdd == 120


def test_a_padded_archive_is_read_too(session: MockSession, stopped: Guest) -> None:
    assert imported(session, exported(session, stopped.id) + bytes(10240)).hdd == 120


@pytest.mark.parametrize("paused", [False, True])
def test_a_guest_that_is_not_stopped_is_not_exported(
    session: MockSession, running: Guest, paused: bool
) -> None:
    if paused:
        power.guest_suspend(session, running.id)
    with pytest.raises(InvalidState, match="cannot export"):
        transfer.guest_export(session, running.id)


def test_an_unknown_guest_is_not_exported(session: MockSession) -> None:
    with pytest.raises(EntityNotFound, match="Guest:nobody"):
        transfer.guest_export(session, "nobody")


def test_an_export_goes_on_when_its_guest_is_deleted(session: MockSession, stopped: Guest) -> None:
    whole = exported(session, stopped.id)
    export = transfer.guest_export(session, stopped.id)
    first = next(export.chunks)
    guests.guest_delete(session, stopped.id)
    assert first + b"".join(export.chunks) == whole


def flip(image: bytes, place: int) -> bytes:
    return image[:place] + bytes([image[place] ^ 1]) + image[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut in the first header": lambda image: image[:300],
    "cut in the manifest": lambda image: image[:600],
    "cut in a disk": lambda image: image[: CHUNK_BYTES // 2],
    "cut before the second disk": lambda image: image[: CHUNK_BYTES + 3 * 512],
    "cut before the end": lambda image: image[:-512],
    "a bit in the header": lambda image: flip(image, 150),
    "a bit in the manifest": lambda image: flip(image, 512),
    "a bit after the manifest": lambda image: flip(image, image.index(b"}\0") + 1),
    "a bit in a disk": lambda image: flip(image, CHUNK_BYTES),
    "a bit in the last disk": lambda image: flip(image, len(image) - 2000),
    "a bit in the end": lambda image: flip(image, len(image) - 1),
    "more after the end": lambda image: image + b"x",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("told", [False, True])
def test_a_damaged_image_is_refused_and_leaves_nothing_behind(
    session: MockSession, stopped: Guest, damage: str, told: bool
) -> None:
    image = exported(session, stopped.id)
    broken = DAMAGES[damage](image)
    assert broken != image
    before = guests.guest_list(session), storages.storage_list(session)
    with pytest.raises(InvalidArguments):
        transfer.guest_import(session, io.BytesIO(broken), len(image) if told else None, None, None)
    assert (guests.guest_list(session), storages.storage_list(session)) == before


@pytest.mark.parametrize("share", [0.0003, 0.3, 0.99])
def test_an_image_that_is_cut_short_is_named_so(session: MockSession, stopped: Guest, share: float) -> None:
    image = exported(session, stopped.id)
    with pytest.raises(InvalidArguments, match="cut short: send all of it"):
        transfer.guest_import(session, io.BytesIO(image[: int(len(image) * share)]), None, None, None)


def test_an_image_larger_than_its_storage_leaves_nothing_behind(session: MockSession, stopped: Guest) -> None:
    image = exported(session, stopped.id)
    local = storages.storage_list(session)[0]
    guests_update.guest_update(
        session, stopped.id, GuestUpdate(hdd=known(local.size) - known(local.allocated_space))
    )
    large = exported(session, stopped.id)
    before = guests.guest_list(session)
    with pytest.raises(InsufficientStorage):
        imported(session, large, local.id)
    assert guests.guest_list(session) == before
    imported(session, image, local.id)


@pytest.mark.parametrize(
    "image", [b"QFI\xfb" + bytes(1000), b"\x1f\x8b" + bytes(50), bytes(257) + b"ustar" + bytes(3000), b"x"]
)
def test_an_image_of_another_format_becomes_a_guest_with_one_disk(session: MockSession, image: bytes) -> None:
    made = imported(session, image)
    assert made.name.startswith("imported-")
    (disk,) = disks.disk_list(session, made.id)
    assert disk.size == -(-len(image) // 512) * 512 / 1024**3
    assert imported(session, image).name != made.name


def test_an_image_of_another_format_goes_to_the_storage_that_is_named(session: MockSession) -> None:
    for place in ("Local storage", "Shared storage"):
        made = imported(session, b"QFI\xfb" + bytes(1000), place)
        (disk,) = disks.disk_list(session, made.id)
        assert disk.extra_info == place


def test_different_images_have_different_contents(session: MockSession) -> None:
    one, same, other = (imported(session, image) for image in (b"QFI\xfb1", b"QFI\xfb1", b"QFI\xfb2"))
    first, again, different = (contents(exported(session, guest.id)) for guest in (one, same, other))
    assert first == again != different


@pytest.mark.parametrize("size", [None, 0])
def test_an_empty_image_is_refused(session: MockSession, size: int | None) -> None:
    with pytest.raises(InvalidArguments, match="empty"):
        transfer.guest_import(session, io.BytesIO(), size, None, None)


def test_a_foreign_image_that_is_cut_short_is_refused(session: MockSession) -> None:
    before = guests.guest_list(session)
    with pytest.raises(InvalidArguments, match="after 4 of the 9 bytes"):
        transfer.guest_import(session, io.BytesIO(b"QFI\xfb"), 9, None, None)
    assert guests.guest_list(session) == before


def test_an_unknown_storage_is_refused_before_the_stream_is_read(session: MockSession) -> None:
    stream = io.BytesIO(b"QFI\xfb")
    with pytest.raises(EntityNotFound, match="Storage:none"):
        transfer.guest_import(session, stream, 4, "none", None)
    with pytest.raises(InvalidArguments, match="ISO images"):
        transfer.guest_import(session, stream, 4, "ISO library", None)
    assert stream.tell() == 0


def test_streams_take_the_same_memory_whatever_their_length(connect: Callable[..., MockSession]) -> None:
    session = connect(content_bytes=64 * CHUNK_BYTES)
    guest = guests.guest_list(session)[1].id
    tracemalloc.start()
    try:
        sizes = [len(chunk) for chunk in transfer.guest_export(session, guest).chunks]
        assert max(sizes) <= CHUNK_BYTES
        assert sum(sizes) > 64 * CHUNK_BYTES
        transfer.guest_import(session, Zeros(64 * CHUNK_BYTES), None, None, None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * CHUNK_BYTES
