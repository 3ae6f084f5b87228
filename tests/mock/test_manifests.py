"""What the manifest of an image may say, and what becomes of what cannot be had."""

import pytest

from simplestack import Guest, InvalidArguments
from simplestack.mock import MockSession
from simplestack.mock.hooks import guests, interfaces, media

from .images import exported, imported, manifest_of, rewritten


@pytest.mark.parametrize(
    "members",
    [
        {"name": ""},
        {"name": "new\nline"},
        {"memory_mib": -1},
        {"cpus": 10**9},
        {"version": 2},
        {"disks": []},
        {"disks": [{"name": "d", "size_bytes": 512, "seed": "", "content_bytes": 1024}]},
        {"tags": ["\x00"]},
        {"interfaces": [{"mac": "x"}]},
    ],
)
def test_a_manifest_is_held_against_the_limits(
    session: MockSession, stopped: Guest, members: dict[str, object]
) -> None:
    image = exported(session, stopped.id)
    assert imported(session, rewritten(image, {})).name == "database (2)"
    before = guests.guest_list(session)
    with pytest.raises(InvalidArguments):
        imported(session, rewritten(image, members))
    assert guests.guest_list(session) == before


@pytest.mark.parametrize("addresses", [{"ipv4_allowed": ["::1"]}, {"ipv6_allowed": ["192.0.2.1"]}], ids=str)
def test_addresses_in_a_manifest_are_of_their_family(
    session: MockSession, stopped: Guest, addresses: dict[str, list[str]]
) -> None:
    image = exported(session, stopped.id)
    (interface,) = manifest_of(image)["interfaces"]
    with pytest.raises(InvalidArguments, match="not an IPv"):
        imported(session, rewritten(image, {"interfaces": [interface | addresses]}))


def test_what_an_import_cannot_have_is_left_out_or_made_up(session: MockSession, stopped: Guest) -> None:
    image = exported(session, stopped.id)
    (interface,) = manifest_of(image)["interfaces"]
    guests.guest_delete(session, stopped.id)
    made = imported(session, rewritten(image, {"iso": "nowhere.iso", "interfaces": [interface, interface]}))
    assert media.media_info(session, made.id).name is None
    first, second = interfaces.network_interface_list(session, made.id)
    assert first.mac == interface["mac"] != second.mac


def test_a_disk_holds_no_more_than_its_size(session: MockSession, stopped: Guest) -> None:
    image = exported(session, stopped.id)
    first, second = manifest_of(image)["disks"]
    with pytest.raises(InvalidArguments, match="has 1048576 bytes on 512"):
        imported(session, rewritten(image, {"disks": [first, second | {"size_bytes": 512}]}))


def test_a_manifest_is_read_up_to_a_bound(session: MockSession, stopped: Guest) -> None:
    image = rewritten(exported(session, stopped.id), {"tags": ["x" * 255] * 5000})
    with pytest.raises(InvalidArguments, match=r"manifest has \d+ bytes, at most 1048576"):
        imported(session, image)


def test_disks_of_an_archive_have_their_names_and_order(session: MockSession, stopped: Guest) -> None:
    image = rewritten(exported(session, stopped.id), {}, renamed={"disk-1.raw": "disk-2.raw"})
    with pytest.raises(InvalidArguments, match=r"'disk-2\.raw' in place of disk-1\.raw"):
        imported(session, image)
