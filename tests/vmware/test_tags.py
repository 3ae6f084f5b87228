"""Tags in notes: what is not a tag's stays."""

import pytest

from simplestack_vmware.hooks.tags import tag_create, tag_delete, tag_list
from support.vsphere import Host

from .conftest import Connect
from .test_disks import id_of


@pytest.mark.parametrize("notes", ["Owner: Jane\r\n\r\nDo not delete!\r\n", "a\rb\n", "\ttab\n  x  \r\n"])
def test_line_breaks_of_notes_stay_what_they_are(either: Host, log_in: Connect, notes: str) -> None:
    """PowerCLI writes those of Windows."""
    session, guest = log_in(either), id_of(either)
    with either.simulator.database.lock:
        either.vm()["config"].annotation = notes
        either.vm().touch()
    tags = tag_list(session, guest)
    assert tag_create(session, guest, "web") == sorted([*tags, "web"])
    assert either.vm()["config"].annotation == f"{notes}\nweb"
    tag_delete(session, guest, "web")
    assert either.vm()["config"].annotation == notes
