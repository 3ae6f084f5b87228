"""A script of a user's: what type checkers see of `Stack` is what is there when it runs."""

from collections.abc import Iterator
from typing import assert_type

from simplestack import (
    GIB,
    Busy,
    Disk,
    DiskCreate,
    EntityNotFound,
    Guest,
    GuestCreate,
    GuestState,
    GuestUpdate,
    Media,
    NewDisk,
    Pool,
    SimplestackError,
    Snapshot,
    Stack,
    gib,
)


def names(stack: Stack) -> Iterator[str]:
    """Yield the names of the guests that run."""
    for guest in stack.guest_list(fields=["name", "state"]):
        assert_type(guest, Guest)
        if guest.state is GuestState.STARTED:
            yield guest.name


with Stack("mock", "typed", "admin", "secret") as stack:
    assert_type(stack, Stack)
    assert_type(stack.pool_info(), Pool)
    made = stack.guest_create(GuestCreate(name="typed", memory=64, disks=[NewDisk(size=1)]))
    assert_type(made, Guest)
    assert_type(made.ip, str | None)
    assert_type(stack.guest_update(made.id, GuestUpdate(memory=128)), Guest)
    assert_type(stack.guest_start(guest_id=made.id), None)
    assert_type(list(names(stack)), list[str])
    assert_type(stack.disk_create(made.id, DiskCreate(size=gib(GIB))), Disk)
    assert_type(stack.disk_list(made.id), list[Disk])
    assert_type(stack.snapshot_create(made.id, "before"), Snapshot)
    assert_type(stack.media_info(made.id), Media)
    assert_type(stack.tag_create(made.id, "typed"), list[str])
    stack.guest_shutdown(made.id, force=True)
    stack.guest_delete(made.id)
    try:
        stack.guest_info(made.id)
    except EntityNotFound as error:
        assert_type(error.entity_id, str)
        assert_type(error.details, dict[str, object])
        print("gone:", error.message)  # noqa: T201  the test reads it
    except Busy as error:
        assert_type(error.retry_after_seconds, int | None)
        raise
    except SimplestackError as error:
        assert_type(error.name, str)
        raise
