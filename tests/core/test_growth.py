"""New sizes of disks: the last one grows, and none shrinks."""

import pytest

from simplestack import GIB, InvalidArguments, gib, gib_to_bytes, grown_bytes


def test_the_last_disk_grows_so_that_all_have_the_sum() -> None:
    assert grown_bytes("hdd", 30 * GIB, [10 * GIB, 15 * GIB]) == 20 * GIB
    assert grown_bytes("size", 30 * GIB, [10 * GIB]) == 30 * GIB


@pytest.mark.parametrize("odd", [0, -511, 511])
def test_a_sum_that_differs_by_less_than_a_sector_is_the_same(odd: int) -> None:
    """Clients send the sum that they got, which is rounded."""
    assert grown_bytes("hdd", 25 * GIB + odd, [10 * GIB, 15 * GIB]) == 15 * GIB


@pytest.mark.parametrize("size", [1, 512, 10**9, 3 * GIB + 1])
def test_a_size_that_is_sent_back_is_no_change(size: int) -> None:
    assert grown_bytes("size", gib_to_bytes(gib(size)), [size]) == size


def test_a_sector_more_is_more() -> None:
    assert grown_bytes("size", GIB + 512, [GIB]) == GIB + 512


def test_disks_never_shrink() -> None:
    with pytest.raises(InvalidArguments) as less:
        grown_bytes("hdd", 24 * GIB, [10 * GIB, 15 * GIB])
    assert less.value.message == (
        "`hdd`: 24 GiB is less than the guest's disks have (25 GiB): disks can only grow"
    )
    with pytest.raises(InvalidArguments, match=r"`size`: 1 GiB is less than the disk has \(1.5 GiB\): disks"):
        grown_bytes("size", GIB, [3 * GIB // 2])
    with pytest.raises(InvalidArguments, match="only grow"):
        grown_bytes("size", GIB - 512, [GIB])


def test_a_guest_without_disks_has_none_to_grow() -> None:
    with pytest.raises(InvalidArguments, match="`hdd`: the guest has no disk to grow: add one first"):
        grown_bytes("hdd", GIB, [])
