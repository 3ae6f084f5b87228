"""The embedded hypervisor: real behaviour, no machines. The reference implementation of every hook.

Use it to try the API, and to develop and test clients. Each host name in the URL is a separate world, created
with a few guests when it is first used. Any user and password are accepted. The worlds are in an SQLite file
that all workers of a service share
(:class:`~simplestack.mock.settings.MockSettings`).
"""

from pathlib import Path

from simplestack import CloudInit, GuestImport, HypervisorPlugin
from simplestack.mock.errors import translate
from simplestack.mock.hooks import (
    disks,
    guests,
    guests_create,
    guests_update,
    hosts,
    interfaces,
    media,
    networks,
    pools,
    power,
    snapshots,
    storages,
    tags,
    transfer,
)
from simplestack.mock.session import MockSession, connect, disconnect, warnings
from simplestack.mock.settings import MockSettings

__all__ = ["MockSession", "MockSettings", "plugin"]

plugin = HypervisorPlugin(
    name="mock",
    title="Mock (embedded, for development and tests)",
    tested_against="itself, as there is nothing behind it",
    connect=connect,
    disconnect=disconnect,
    hooks=(
        pools,
        hosts,
        storages,
        guests,
        guests_create,
        guests_update,
        transfer,
        power,
        disks,
        media,
        networks,
        interfaces,
        snapshots,
        tags,
    ),
    optional_fields={
        "guest_create": ("firmware", *CloudInit.__struct_fields__),
        "guest_clone": CloudInit.__struct_fields__,
        "guest_import": GuestImport.__struct_fields__,
    },
    settings=MockSettings,
    translate=translate,
    enforces_time_limits=True,
    warnings=warnings,
    examples=Path(__file__).with_name("examples.json"),
)
