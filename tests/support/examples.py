"""The examples of a plugin's OpenAPI document: requests to a real service, and what it answered."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from simplestack.operations.table import OPERATIONS
from support.service import Answer, Service

#: Set it to write the examples anew instead of comparing them.
RECORD_VARIABLE = "SIMPLESTACK_RECORD_EXAMPLES"
_ROWS = {row.name: row for row in OPERATIONS}
#: A list is shown by its first items.
_SHOWN_ITEMS = 2


@dataclass
class Recorder:
    """Performs operations on a hypervisor and keeps each request with its answer."""

    service: Service
    base: str
    #: What the plugin implements; other steps are left out.
    operations: frozenset[str]
    #: What is in the answers and means nothing to readers, and what is written in its place.
    replacements: Mapping[str, str] = field(default_factory=dict)
    examples: dict[str, dict[str, Any]] = field(default_factory=dict)

    def perform(self, operation: str, body: Any = None, **parameters: str) -> Any:
        """Perform an operation, and return its answer; None where the plugin does not implement it."""
        if operation not in self.operations:
            return None
        row = _ROWS[operation]
        path = row.path.format_map({name: quote(value, safe="") for name, value in parameters.items()})
        answer = self.service.request(row.method, (self.base + path).rstrip("/"), body)
        assert answer.status == row.status, answer
        if operation not in self.examples:
            self.examples[operation] = self._example(answer, body, parameters)
        return answer.json if _is_json(answer) else answer.body

    def written(self) -> str:
        """Return the examples as a file has them."""
        ordered = {row.name: self.examples[row.name] for row in OPERATIONS if row.name in self.examples}
        text = json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"
        for found, shown in self.replacements.items():
            text = text.replace(found, shown)
        return text

    def _example(self, answer: Answer, body: Any, parameters: Mapping[str, str]) -> dict[str, Any]:
        example: dict[str, Any] = {}
        if parameters:
            example["parameters"] = dict(parameters)
        if body is not None and not isinstance(body, bytes):
            example["request"] = body
        if _is_json(answer):
            shown = answer.json
            example["response"] = _first(shown) if isinstance(shown, list) else shown
        return example


def _first(items: list[Any]) -> list[Any]:
    """Return the first items by name: hypervisors list guests as they like, running and stopped ones."""
    if all(isinstance(item, dict) and item.get("name") for item in items):
        items = sorted(items, key=lambda item: str(item["name"]))
    return items[:_SHOWN_ITEMS]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What lies ready on the host, for new guests."""

    create: Mapping[str, Any]
    storage: str
    network: str | None = None
    #: The network below a VLAN, where it is another one.
    trunk: str | None = None
    iso: str | None = None
    #: Changes of a network interface.
    interface: Mapping[str, Any] = field(
        default_factory=lambda: {
            "ratelimit": 100_000_000,
            "locking_mode": "locked",
            "ipv4_allowed": ["192.0.2.10"],
        }
    )
    #: Further fields of the clone.
    clone: Mapping[str, Any] = field(default_factory=dict)


def tell(recorder: Recorder, surroundings: Surroundings, booted: Callable[[str], None]) -> None:
    """Live a guest's life, so that every operation is performed once.

    A plugin that makes no guests, disks or snapshots shows the first ones that are there.

    :param booted: waits until the guest with an id, which has been started, has booted
    """
    perform = recorder.perform
    perform("pool_info")
    for entity in ("host", "storage", "network"):
        listed = perform(f"{entity}_list") or []
        for item in listed[:1]:
            perform(f"{entity}_info", **{f"{entity}_id": item["id"]})
    if surroundings.network is not None:
        below = surroundings.trunk or surroundings.network
        vlan = {"name": "customer-42", "from_network": below, "vlan": 42}
        perform("network_vlan_create", vlan)
    guest = perform("guest_create", {"name": "web-1", **surroundings.create})
    if guest is None:
        guest = perform("guest_list")[0]
    identity = {"guest_id": guest["id"]}
    perform("guest_update", {"memory": 2 * surroundings.create.get("memory", 1024), "cpus": 2}, **identity)
    _devices(recorder, surroundings, identity)
    _snapshots_and_tags(recorder, identity)
    clone = perform("guest_clone", {"name": "web-2", **surroundings.clone}, **identity)
    image = perform("guest_export", **identity)
    others = [clone, perform("guest_import", image)]
    others.append(perform("storage_guest_import", image, storage_id=surroundings.storage))
    perform("power_guest", {"state": "start"}, **identity)
    booted(guest["id"])
    perform("guest_list")
    perform("guest_info", **identity)
    perform("reboot_guest", {"force": True}, **identity)
    perform("power_guest", {"state": "force_stop"}, **identity)
    for gone in [guest, *others]:
        if gone is not None:
            perform("guest_delete", guest_id=gone["id"])


def _devices(recorder: Recorder, surroundings: Surroundings, identity: Mapping[str, str]) -> None:
    perform = recorder.perform
    disk = perform("disk_create", {"size": 1, "storage_id": surroundings.storage}, **identity)
    disks = perform("disk_list", **identity)
    if disk is None:
        disk = disks[0]
    perform("disk_info", disk_id=disk["id"], **identity)
    perform("disk_update", {"size": 1.5}, disk_id=disk["id"], **identity)
    perform("disk_delete", disk_id=disk["id"], **identity)
    perform("media_mount", {"name": surroundings.iso}, **identity)
    perform("media_info", **identity)
    perform("media_mount", {"name": None}, **identity)
    interfaces = perform("network_interface_list", **identity)
    interface = perform("network_interface_create", {"network": surroundings.network}, **identity)
    if interface is None and interfaces:
        interface = interfaces[0]
    if interface is not None:
        its = {"interface_id": interface["id"], **identity}
        perform("network_interface_info", **its)
        perform("network_interface_update", dict(surroundings.interface), **its)
        perform("network_interface_delete", **its)


def _snapshots_and_tags(recorder: Recorder, identity: Mapping[str, str]) -> None:
    perform = recorder.perform
    snapshot = perform("snapshot_create", {"name": "before-upgrade"}, **identity)
    snapshots = perform("snapshot_list", **identity)
    if snapshot is None and snapshots:
        snapshot = snapshots[0]
    if snapshot is not None:
        its = {"snapshot_id": snapshot["id"], **identity}
        perform("snapshot_info", **its)
        perform("snapshot_revert", **its)
        perform("snapshot_delete", **its)
    perform("tag_create", {"name": "production"}, **identity)
    perform("tag_list", **identity)
    perform("tag_delete", name="production", **identity)


def compare(recorder: Recorder, file: Path) -> None:
    """Hold the examples in a file to what was answered now: the same operations, members and types.

    Ids, times and figures differ from run to run. SIMPLESTACK_RECORD_EXAMPLES writes the file instead.
    """
    missing = sorted(recorder.operations - recorder.examples.keys())
    assert not missing, f"tests/support/examples.py performs none of {missing}: add a step to its story"
    if os.environ.get(RECORD_VARIABLE):
        file.write_text(recorder.written())
    kept = json.loads(file.read_text())
    hint = f"{file.name} is not what the service answers: {RECORD_VARIABLE}=1 writes it anew"
    assert _shape(kept) == _shape(json.loads(recorder.written())), hint


def _shape(value: Any) -> Any:
    """Return the members and the types of a JSON value."""
    match value:
        case dict():
            # Each network has settings of its own.
            return {name: name if name == "other_config" else _shape(its) for name, its in value.items()}
        case list():
            # In no order: hypervisors list guests as they like.
            shapes = {repr(shape): shape for shape in map(_shape, value)}
            return [shapes[text] for text in sorted(shapes)]
        case bool() | None:
            return str(value)
        case int() | float():
            return "number"
        case _:
            return type(value).__name__


def _is_json(answer: Answer) -> bool:
    return answer.headers.get("content-type") == "application/json"
