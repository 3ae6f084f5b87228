# ruff: noqa: T201  its output is what the tests read
"""A process that writes to a world: ``python writers.py DATABASE TASK NUMBER``. Prints what came of it.

It waits for a line on its standard input before it begins, so that several of them begin at once.
"""

import os
import sys
import threading
import time

from simplestack import (
    Conflict,
    Credentials,
    DiskCreate,
    GuestCreate,
    GuestUpdate,
    NetworkInterfaceCreate,
    Target,
)
from simplestack.mock import MockSession, MockSettings, plugin
from simplestack.mock.hooks import disks, guests, guests_create, guests_update, interfaces, power, tags

ROUNDS = 25


def name(session: MockSession, number: int) -> None:
    for one in range(ROUNDS):
        try:
            guests_create.guest_create(session, GuestCreate(name=f"raced {one}", memory=64))
            print("won", one)
        except Conflict:
            print("lost", one)


def mac(session: MockSession, number: int) -> None:
    guest = guests_create.guest_create(session, GuestCreate(name=f"of {number}", memory=64)).id
    for one in range(8):
        wanted = NetworkInterfaceCreate(network="Pool network", mac=f"02:00:00:00:00:{one:02x}")
        try:
            interfaces.network_interface_create(session, guest, wanted)
            print("won", one)
        except Conflict:
            print("lost", one)


def grow(session: MockSession, number: int) -> None:
    guest = guests.guest_list(session)[1].id
    for one in range(ROUNDS):
        disks.disk_create(session, guest, DiskCreate(size=1, name=f"{number}/{one}"))
        print("made", f"{number}/{one}")


def mixed(session: MockSession, number: int) -> None:
    """Do all sorts of things in two threads, which must leave the books as they were."""
    done: list[str] = []

    def work(thread: int) -> None:
        for one in range(ROUNDS // 5):
            label = f"{number}/{thread}/{one}"
            guest = guests_create.guest_create(
                session, GuestCreate(name=label, template="debian-12-template")
            )
            tags.tag_create(session, guests.guest_list(session)[0].id, label)
            power.guest_start(session, guest.id)
            disk = disks.disk_create(session, guest.id, DiskCreate(size=2))
            power.guest_shutdown(session, guest.id, True)
            disks.disk_delete(session, guest.id, disk.id)
            clone = guests.guest_clone(session, guest.id, f"{label} copy")
            for gone in (guest.id, clone.id):
                guests.guest_delete(session, gone)
            done.append(label)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for label in done:
        print("done", label)


def killed(session: MockSession, number: int) -> None:
    """Write until somebody ends this process."""
    deadline = time.monotonic() + 60
    one = 0
    while time.monotonic() < deadline:
        guests_create.guest_create(
            session, GuestCreate(name=f"{number}/{one}", template="debian-12-template")
        )
        print("made", f"{number}/{one}", flush=True)
        one += 1


def forked(session: MockSession, number: int) -> None:
    """Fork while a connection is open and another thread has one, and use both sides afterwards."""
    guests_create.guest_create(session, GuestCreate(name="before", memory=64))
    connected, done = threading.Event(), threading.Event()

    def wait() -> None:
        guests.guest_list(session)
        connected.set()
        done.wait()

    other = threading.Thread(target=wait)
    other.start()
    connected.wait()
    inherited = session.database.connection()
    child = os.fork()
    if child == 0:
        if session.database.connection() is inherited:
            os._exit(3)
        guests_create.guest_create(session, GuestCreate(name="in the child", memory=64))
        os._exit(0)
    guests_create.guest_create(session, GuestCreate(name="in the parent", memory=64))
    _, status = os.waitpid(child, 0)
    done.set()
    other.join()
    print("status", os.waitstatus_to_exitcode(status))
    print("names", *(guest.name for guest in guests.guest_list(session)), sep="|")


def rename(session: MockSession, number: int) -> None:
    guest, _, name = line.strip().partition(" ")
    guests_update.guest_update(session, guest, GuestUpdate(name=name))


def reset(session: MockSession, number: int) -> None:
    guests_create.guest_create(session, GuestCreate(name=f"of {number}", memory=64))
    print("names", *sorted(guest.name for guest in guests.guest_list(session)), sep="|")


TASKS = {task.__name__: task for task in (name, mac, grow, mixed, killed, forked, rename, reset)}

if __name__ == "__main__":
    _, database, task, number = sys.argv
    line = "" if task == "reset" else sys.stdin.readline()
    settings = MockSettings(database=database, reset=task == "reset", max_disks=1000)
    session = plugin.connect(Target("demo"), Credentials("u", "p"), settings)
    TASKS[task](session, int(number))
    plugin.disconnect(session)
