"""The messages that vSphere gives with its faults."""

from collections.abc import Mapping
from typing import Any

from simulators.vsphere.schema import vmodl_name

_TEXTS: Mapping[str, str] = {
    "vim.fault.InvalidLogin": "Cannot complete login due to an incorrect user name or password.",
    "vim.fault.NotAuthenticated": "The session is not authenticated.",
    "vim.fault.NoPermission": "Permission to perform this operation was denied.",
    "vim.fault.TaskInProgress": "Another task is already in progress.",
    "vim.fault.InvalidPowerState": "The attempted operation cannot be performed in the current state.",
    "vim.fault.ToolsUnavailable": "Cannot complete operation because VMware Tools is not running in this "
    "virtual machine.",
    "vmodl.fault.NotSupported": "The operation is not supported on the object.",
    "vmodl.fault.NotImplemented": "The simulator does not implement this method.",
    "vmodl.fault.RequestCanceled": "The task was canceled by a user.",
    "vmodl.fault.InvalidRequest": "The request is invalid.",
    "vmodl.fault.SystemError": "A general system error occurred.",
}


def message_of(fault: Any) -> str:
    """Return the message of a fault: its own, or what vSphere says."""
    if fault.msg:
        return str(fault.msg)
    name = vmodl_name(type(fault))
    match name:
        case "vmodl.fault.ManagedObjectNotFound":
            shown = f"{vmodl_name(type(fault.obj))}:{fault.obj._moId}"
            return f"The object '{shown}' has already been deleted or has not been completely created"
        case "vim.fault.DuplicateName":
            return f"The name '{fault.name}' already exists."
        case "vim.fault.InvalidName":
            return f"The name '{fault.name}' is not valid."
        case "vmodl.fault.InvalidArgument":
            return f"A specified parameter was not correct: {fault.invalidProperty or ''}"
    return _TEXTS.get(name, f"Fault cause: {name}\n")
