"""Check results: their fields, JSON types, IDs, units, addresses and times."""

import ipaddress
import re
from collections.abc import Callable
from typing import Any, get_args, get_origin

import msgspec

from simplestack.entities.disk import Disk
from simplestack.entities.guest import Guest, GuestState
from simplestack.entities.network import NetworkInterface
from simplestack.entities.pool import Pool
from simplestack.entities.snapshot import Snapshot
from simplestack.entities.storage import Storage
from simplestack.ids import is_uuid
from simplestack.operations.model import Operation

_URL_SAFE = re.compile(r"\A(?!\.{1,2}\Z)[A-Za-z0-9._~:@!$&'()*+,;=-]{1,1024}\Z")
_MAC = re.compile(r"\A[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}\Z")
_UTC = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|\+00:00)\Z")
_STATES = frozenset(GuestState)


def check_result(row: Operation, result: Any) -> None:
    """Check that the result of an operation conforms to the contract.

    :raises AssertionError: the message names the wrong field
    """
    kind = row.result
    if get_origin(kind) is list:
        assert isinstance(result, list), f"{row.name} returned {result!r}, not a list"
        (item,) = get_args(kind)
        if item is str:
            _check_tags(row.name, result)
            return
        for entity in result:
            _check_entity(row.name, item, entity)
        ids = [entity["id"] for entity in result]
        assert len(ids) == len(set(ids)), f"{row.name} lists an id twice: {ids}"
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        _check_entity(row.name, kind, result)
    else:
        assert result is None, f"{row.name} returned {result!r}, but must return nothing"


def _check_entity(operation: str, kind: type[msgspec.Struct], entity: Any) -> None:
    where = f"the {kind.__name__} of {operation}, {entity}"
    try:
        msgspec.convert(entity, kind)
    except msgspec.ValidationError as error:
        raise AssertionError(f"{where}: {error}") from None
    missing = [name for name in kind.__struct_fields__ if name not in entity]
    assert not missing, f"{where}: missing {', '.join(missing)}"
    if "id" in kind.__struct_fields__:
        assert _URL_SAFE.match(entity["id"]), f"{where}: the id is not URL-safe"
    check = _CHECKS.get(kind)
    if check is not None:
        check(where, entity)


def _check_guest(where: str, guest: Any) -> None:
    assert is_uuid(guest["id"]), f"{where}: the id is not a UUID with hyphens"
    assert guest["name"], f"{where}: no name"
    assert guest["cpus"] is None or guest["cpus"] >= 1, f"{where}: cpus is neither null nor at least 1"
    assert guest["memory"] is None or guest["memory"] >= 1, f"{where}: memory is neither null nor at least 1"
    assert guest["hdd"] is None or guest["hdd"] >= 0, f"{where}: hdd is negative"
    if guest["ip"] is not None:
        _check_address(where, guest["ip"])


def _check_disk(where: str, disk: Any) -> None:
    assert disk["size"] is None or disk["size"] > 0, f"{where}: size is neither null nor above 0"
    assert disk["number"], f"{where}: no number"


def _check_interface(where: str, interface: Any) -> None:
    assert _MAC.match(interface["mac"]), f"{where}: mac is not a MAC address"
    assert interface["id"].lower() == interface["mac"].lower(), f"{where}: the id is not the MAC address"
    assert interface["ratelimit"] is None or interface["ratelimit"] > 0, f"{where}: ratelimit"
    for address in (*interface["ipv4_allowed"], *interface["ipv6_allowed"]):
        _check_address(where, address)


def _check_snapshot(where: str, snapshot: Any) -> None:
    assert snapshot["state"] is None or snapshot["state"] in _STATES, f"{where}: state"
    assert snapshot["created"] is None or _UTC.match(snapshot["created"]), (
        f"{where}: created is not RFC 3339 in UTC"
    )
    path = snapshot["path"]
    assert path is None or path.endswith(snapshot["name"]), f"{where}: the path does not end with its name"


def _check_storage(where: str, storage: Any) -> None:
    for name in ("used_space", "allocated_space", "size"):
        assert storage[name] is None or storage[name] >= 0, f"{where}: {name} is negative"
    if storage["used_space"] is not None and storage["size"] is not None:
        assert storage["used_space"] <= storage["size"], f"{where}: used_space is not within size"
    assert storage["name"], f"{where}: no name"
    assert storage["type"], f"{where}: no type"


def _check_pool(where: str, pool: Any) -> None:
    assert 0 <= pool["used_memory"] <= pool["total_memory"], (
        f"{where}: used_memory is not within total_memory"
    )
    assert pool["software_info"].get("version"), f"{where}: software_info has no version"
    assert pool["master"], f"{where}: no master"


def _check_address(where: str, address: str) -> None:
    try:
        ipaddress.ip_interface(address)
    except ValueError:
        raise AssertionError(f"{where}: {address!r} is not an IP address") from None


def _check_tags(operation: str, tags: list[Any]) -> None:
    assert all(isinstance(tag, str) for tag in tags), f"{operation} returned {tags}, not strings"
    assert tags == sorted(set(tags)), f"{operation} returned {tags}, which is not sorted, or has duplicates"


_CHECKS: dict[type[msgspec.Struct], Callable[[str, Any], None]] = {
    Guest: _check_guest,
    Disk: _check_disk,
    NetworkInterface: _check_interface,
    Snapshot: _check_snapshot,
    Storage: _check_storage,
    Pool: _check_pool,
}
