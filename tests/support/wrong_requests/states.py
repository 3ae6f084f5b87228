"""Requests that the state of a guest does not allow, or what other guests have."""

from typing import Any

from support.wrong_requests.model import GUEST, INTERFACES, MAC, NEW, WrongRequest

POWER = f"{GUEST}/power"


def _state(what: str, path: str, body: Any, message: str, method: str = "PUT", *not_on: str) -> WrongRequest:
    """Return a request that the power state of the guest does not allow."""
    return WrongRequest(what, method, path, body, 409, "InvalidState", message, not_on)


def _taken(what: str, method: str, path: str, body: Any, message: str) -> WrongRequest:
    return WrongRequest(what, method, path, body, 409, "Conflict", message)


STATES = (
    _taken(
        "name that is taken",
        "POST",
        "/guests",
        NEW | {"name": "cafe"},
        "another guest has the name 'cafe': choose another name",
    ),
    _taken(
        "new name that is taken",
        "PUT",
        GUEST,
        {"name": "cafe"},
        "another guest has the name 'cafe': choose another name",
    ),
    _taken(
        "name of a clone that is taken",
        "POST",
        f"{GUEST}/clone",
        {"name": "cafe"},
        "another guest has the name 'cafe': choose another name",
    ),
    _taken(
        "MAC address that is taken",
        "POST",
        INTERFACES,
        {"network": "{network}", "mac": MAC},
        f"guest 'desk' already has an interface {MAC}: choose another MAC address",
    ),
    _state(
        "delete a running guest",
        "/guests/{running}",
        None,
        "cannot delete guest 'cafe' while it is STARTED: it must be STOPPED",
        "DELETE",
    ),
    _state(
        "clone a running guest",
        "/guests/{running}/clone",
        {"name": "new"},
        "cannot clone guest 'cafe' while it is STARTED: it must be STOPPED",
        "POST",
        "vmware",  # which can
    ),
    _state(
        "export a running guest",
        "/guests/{running}/export",
        None,
        "cannot export guest 'cafe' while it is STARTED: it must be STOPPED",
        "GET",
    ),
    _state(
        "make a running guest a template",
        "/guests/{running}",
        {"template": True},
        "cannot make guest 'cafe' a template while it is STARTED: it must be STOPPED",
    ),
    _state(
        "start a running guest",
        "/guests/{running}/power",
        {"state": "start"},
        "cannot start guest 'cafe' while it is STARTED: it must be STOPPED",
    ),
    _state(
        "start a template",
        "/guests/{template}/power",
        {"state": "start"},
        "cannot start guest 'mould' while it is a template: it must be a guest again (update it with "
        "`template` false), or create a guest from it",
    ),
    _state(
        "pause a stopped guest",
        POWER,
        {"state": "pause"},
        "cannot pause guest 'desk' while it is STOPPED: it must be STARTED",
    ),
    _state(
        "resume a stopped guest",
        POWER,
        {"state": "resume"},
        "cannot resume guest 'desk' while it is STOPPED: it must be PAUSED",
    ),
    _state(
        "stop a stopped guest",
        POWER,
        {"state": "stop"},
        "cannot shut down guest 'desk' while it is STOPPED: it must be STARTED",
    ),
    _state(
        "cut the power of a stopped guest",
        POWER,
        {"state": "force_stop"},
        "cannot cut the power of guest 'desk' while it is STOPPED: it must be STARTED or PAUSED",
    ),
    _state(
        "reboot a stopped guest",
        f"{GUEST}/reboot",
        {},
        "cannot reboot guest 'desk' while it is STOPPED: it must be STARTED",
    ),
)
