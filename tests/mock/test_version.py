"""What is kept of a read is given up as soon as anybody writes."""

import subprocess
import sys

from simplestack import Credentials, GuestCreate, GuestUpdate, Target
from simplestack.mock import MockSettings, guests, plugin

RENAME = """
import sys
from simplestack import Credentials, GuestUpdate, Target
from simplestack.mock import MockSettings, guests, plugin

session = plugin.connect(Target("demo"), Credentials("u", "p"), MockSettings(database=sys.argv[1]))
guests.guest_update(session, sys.argv[2], GuestUpdate(name=sys.argv[3]))
"""


def test_a_guest_that_was_read_shows_the_change_of_another_process_at_once(database: str) -> None:
    session = plugin.connect(Target("demo"), Credentials("u", "p"), MockSettings(database=database))
    guest = guests.guest_create(session, GuestCreate(name="before", memory=64))
    for name in ("first", "second"):
        assert guests.guest_info(session, guest.id).name != name
        subprocess.run([sys.executable, "-c", RENAME, database, guest.id, name], check=True)
        assert guests.guest_info(session, guest.id).name == name
    plugin.disconnect(session)


def test_a_read_in_the_middle_of_a_write_is_not_kept(database: str) -> None:
    session = plugin.connect(Target("demo"), Credentials("u", "p"), MockSettings(database=database))
    guest = guests.guest_create(session, GuestCreate(name="before", memory=64))
    with session.database.version.changing():
        assert guests.guest_info(session, guest.id).name == "before"
        assert session.database.version.stable() == 0
    guests.guest_update(session, guest.id, GuestUpdate(name="after"))
    assert guests.guest_info(session, guest.id).name == "after"
    plugin.disconnect(session)
