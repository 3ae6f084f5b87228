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
    "vim.fault.InvalidState": "The operation is not allowed in the current state.",
    "vim.fault.InvalidHostState": "The operation is not allowed in the current state of the host.",
    "vim.fault.ToolsUnavailable": "Cannot complete operation because VMware Tools is not running in this "
    "virtual machine.",
    "vim.fault.NotFound": "The object or item referred to could not be found.",
    "vmodl.fault.NotSupported": "The operation is not supported on the object.",
    "vmodl.fault.NotImplemented": "The simulator does not implement this method.",
    "vmodl.fault.RequestCanceled": "The task was canceled by a user.",
    "vmodl.fault.InvalidRequest": "The request is invalid.",
    "vmodl.fault.SystemError": "A general system error occurred.",
}
#: Those that tell properties of the fault.
_FORMATS: Mapping[str, str] = {
    "vim.fault.DuplicateName": "The name '{fault.name}' already exists.",
    "vim.fault.InvalidName": "The name '{fault.name}' is not valid.",
    "vim.fault.FileNotFound": "File {fault.file} was not found",
    "vim.fault.FileLocked": "Unable to access file {fault.file} since it is locked",
    "vim.fault.FileAlreadyExists": "Cannot complete the operation because the file or folder {fault.file} "
    "already exists",
    "vim.fault.InvalidDatastorePath": "Invalid datastore path '{fault.datastorePath}'.",
    "vim.fault.NoDiskSpace": "Insufficient disk space on datastore '{fault.datastore}'.",
}


def message_of(fault: Any) -> str:
    """Return the message of a fault: its own, or what vSphere says."""
    if fault.msg:
        return str(fault.msg)
    name = vmodl_name(type(fault))
    if name == "vmodl.fault.InvalidArgument":
        return f"A specified parameter was not correct: {fault.invalidProperty or ''}"
    if name == "vmodl.fault.ManagedObjectNotFound" and fault.obj is not None:
        shown = f"{vmodl_name(type(fault.obj))}:{fault.obj._moId}"
        return f"The object '{shown}' has already been deleted or has not been completely created"
    if name in _FORMATS:
        return _FORMATS[name].format(fault=fault)
    return _TEXTS.get(name, f"Fault cause: {name}\n")
