# ruff: noqa: T201  its output is what the tests read
"""A process that writes to a world: ``python writers.py DATABASE TASK NUMBER``. Prints what came of it.

It waits for a line on its standard input before it begins, so that several of them begin at once.
"""

import os
import sys
import threading
import time
from pathlib import Path

from simplestack import (
    Conflict,
    Credentials,
    DiskCreate,
    GuestCreate,
    GuestUpdate,
    NetworkInterfaceCreate,
    Stack,
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
    """Do all sorts of things in two threads, which must leave the sums as they were."""
    done: list[str] = []

    def work(thread: int) -> None:
        session = connected()
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
            clone = guests.guest_clone(session, guest.id, f"{label} copy", None)
            for gone in (guest.id, clone.id):
                guests.guest_delete(session, gone)
            done.append(label)
        plugin.disconnect(session)

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
    """Fork while sessions are open, and use both sides afterwards."""
    config = Path(database).with_name("forked.toml")
    config.write_text(f"[hypervisors.mock]\ndatabase = '{database}'\n")
    stack = Stack("mock", "demo", "u", "p", config=config)
    stack.guest_create(GuestCreate(name="before", memory=64))
    child = os.fork()
    if child == 0:
        stack.guest_create(GuestCreate(name="in the child", memory=64))
        os._exit(0)
    stack.guest_create(GuestCreate(name="in the parent", memory=64))
    _, status = os.waitpid(child, 0)
    print("status", os.waitstatus_to_exitcode(status))
    print("names", *(guest.name for guest in stack.guest_list()), sep="|")


def rename(session: MockSession, number: int) -> None:
    guest, _, name = line.strip().partition(" ")
    guests_update.guest_update(session, guest, GuestUpdate(name=name))


def reset(session: MockSession, number: int) -> None:
    guests_create.guest_create(session, GuestCreate(name=f"of {number}", memory=64))
    print("names", *sorted(guest.name for guest in guests.guest_list(session)), sep="|")


def connected() -> MockSession:
    settings = MockSettings(database=database, reset=task == "reset", max_disks=1000)
    session: MockSession = plugin.connect(Target("demo"), Credentials("u", "p"), settings)
    return session


TASKS = {task.__name__: task for task in (name, mac, grow, mixed, killed, forked, rename, reset)}

if __name__ == "__main__":
    _, database, task, number = sys.argv
    line = "" if task == "reset" else sys.stdin.readline()
    session = connected()
    TASKS[task](session, int(number))
    plugin.disconnect(session)
