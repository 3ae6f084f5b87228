"""Settings of the mock: ``[hypervisors.mock]``."""

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, field

from simplestack import HypervisorSettings

#: Increased with each change of the format of the database's tables or records.
SCHEMA_VERSION = 4

Limit = Annotated[int, Meta(ge=1, le=1_000_000)]
#: One template and two guests.
_FIRST_GUESTS = 3
#: The limit of files in a ustar archive is 8 GiB.
ContentBytes = Annotated[int, Meta(ge=0, le=4 * 1024**3)]


def default_database() -> str:
    """Return the file in the user's state directory (XDG Base Directory Specification 0.8).

    Its name has the schema version, so that services of different versions can run on one machine.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    # The specification: "If an implementation encounters a relative path ... it should ... ignore it."
    try:
        folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:  # a user without a home, as containers have them
        folder = Path("/var/lib")
    return str(folder / "simplestack" / f"mock-{SCHEMA_VERSION}.sqlite3")


class MockSettings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the mock: its database, and the limits of its worlds."""

    #: SQLite file with all worlds. All workers of a service share it, and several services on one machine can
    #: share it, too. Do not use a network file system. Default: ``simplestack/mock-4.sqlite3`` below
    #: ``$XDG_STATE_HOME``, else ``~/.local/state``, else ``/var/lib``.
    database: str = field(default_factory=default_database)
    #: Whether each start of a service removes all worlds. The environment variable ``SIMPLESTACK_INSTANCE``
    #: identifies a start, else the parent process, which all workers have in common.
    reset: bool = False
    #: Number of bytes on a disk that a guest has written to. An export contains them.
    content_bytes: ContentBytes = 1024**2
    #: Maximum number of worlds, that is, of host names.
    max_worlds: Limit = 1_000
    #: Maximum number of guests of a world, including templates.
    max_guests: Limit = 20_000
    #: Maximum number of networks of a world.
    max_networks: Limit = 512
    #: Maximum number of disks of a guest.
    max_disks: Limit = 64
    #: Maximum number of network interfaces of a guest.
    max_interfaces: Limit = 16
    #: Maximum number of snapshots of a guest.
    max_snapshots: Limit = 32
    #: Maximum number of tags of a guest.
    max_tags: Limit = 64
    #: Maximum number of entries of an interface's ``ipv4_allowed``, and of its ``ipv6_allowed``.
    max_addresses: Limit = 64
    #: Number of additional guests of a new world, for tests with long lists: ``guest-00001``, ...
    seed_guests: Annotated[int, Meta(ge=0, le=100_000)] = 0

    def __post_init__(self) -> None:
        """Reject settings that contradict each other."""
        if self.seed_guests + _FIRST_GUESTS > self.max_guests:
            raise ValueError(
                f"`seed_guests` and the {_FIRST_GUESTS} first guests are more than `max_guests`, "
                f"{self.max_guests}"
            )
