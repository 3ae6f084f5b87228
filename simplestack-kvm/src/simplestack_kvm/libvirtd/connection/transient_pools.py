"""Storage pools that last as long as one access to a folder which is in no storage.

The name of such a pool tells what it is: no request takes it for a storage. When the pool ends, the files
stay. libvirt makes no second pool of a folder, but it compares paths as text. So each of these pools spells
the path in another way: they are in the way of no other pool, and no look-up by path finds a file in them.
"""

import logging
import re
import secrets
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from simplestack_kvm.errors import is_error
from simplestack_kvm.sdk import libvirt

#: A pool that is older than this is the remnant of a worker that ended. Clocks of services may differ.
ABANDONED_SECONDS = 3600

_NAME = re.compile(r"simplestack-access-(\d{1,12})-[0-9a-f]{16}")
_SPELLINGS = 64
_ATTEMPTS = 8

_log = logging.getLogger(__name__)


def without_transient(pools: Sequence["libvirt.virStoragePool"]) -> list["libvirt.virStoragePool"]:
    """Return the pools that are storages."""
    return [pool for pool in pools if not is_transient(pool)]


def is_transient(pool: "libvirt.virStoragePool") -> bool:
    """Tell whether a pool is one of these, of whatever service; no round trip."""
    return _NAME.fullmatch(pool.name()) is not None


@contextmanager
def transient_pool(connection: "libvirt.virConnect", folder: str) -> Iterator["libvirt.virStoragePool"]:
    """Give a pool of a folder of the host.

    :raises libvirt.libvirtError: the folder does not exist, for example
    """
    _end_abandoned(connection)
    pool = _create(connection, folder)
    try:
        yield pool
    finally:
        _end(pool)


def _create(connection: "libvirt.virConnect", folder: str) -> "libvirt.virStoragePool":
    definition = ET.Element("pool", type="dir")
    ET.SubElement(definition, "name").text = f"simplestack-access-{int(time.time())}-{secrets.token_hex(8)}"
    path = ET.SubElement(ET.SubElement(definition, "target"), "path")
    for attempt in range(_ATTEMPTS):
        path.text = folder + "/." * (1 + secrets.randbelow(_SPELLINGS))
        try:
            return connection.storagePoolCreateXML(ET.tostring(definition, encoding="unicode"))
        except libvirt.libvirtError as error:
            # Another request has a pool of this spelling.
            if attempt == _ATTEMPTS - 1 or not is_error(error, libvirt.VIR_ERR_OPERATION_FAILED):
                raise
    raise AssertionError("the last attempt returns or raises")


def _end_abandoned(connection: "libvirt.virConnect") -> None:
    flags = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT
    for pool in connection.listAllStoragePools(flags):
        name = _NAME.fullmatch(pool.name())
        if name is not None and int(name[1]) < time.time() - ABANDONED_SECONDS:
            _log.info("ending storage pool %s, which a service left", pool.name())
            _end(pool)


def _end(pool: "libvirt.virStoragePool") -> None:
    try:
        pool.destroy()
    except libvirt.libvirtError as error:
        # Another request was quicker, or the connection broke: a later request ends it.
        if not is_error(error, libvirt.VIR_ERR_NO_STORAGE_POOL):
            _log.warning("cannot end storage pool %s: %s", pool.name(), error)
