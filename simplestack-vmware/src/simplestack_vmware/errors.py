"""Translate vSphere's faults to Simplestack's errors, in one table.

The API reference has the faults with their fields (https://developer.broadcom.com/xapis/vsphere-web-services-api/).
A fault that is not in the table is translated as the type above it, if that is; else it becomes 502 with
vSphere's own text.
"""

from collections.abc import Callable

from simplestack import (
    Busy,
    Conflict,
    EntityNotFound,
    GuestState,
    HypervisorError,
    HypervisorUnavailable,
    InsufficientStorage,
    InvalidArguments,
    InvalidState,
    OperationNotSupported,
    PermissionDenied,
    SimplestackError,
    Unauthorized,
)
from simplestack_vmware.sdk.faults import Fault

_STATES = {
    "poweredOn": GuestState.STARTED,
    "poweredOff": GuestState.STOPPED,
    "suspended": GuestState.PAUSED,
}

#: Makes an error from a fault.
_Make = Callable[[Fault], SimplestackError]


def translate(error: Exception) -> SimplestackError | None:
    """Translate a fault of vSphere's; return None for other errors."""
    if not isinstance(error, Fault):
        return None
    for name in error.names:
        make = _TABLE.get(name)
        if make is not None:
            return make(error)
    return HypervisorError(f"vSphere failed: {_text(error)}", error.name)


def _text(fault: Fault) -> str:
    """Return the fault's type and its text."""
    return f"{fault.name} ({fault.message})" if fault.message else fault.name


def _as(kind: type[SimplestackError], meaning: str) -> _Make:
    """Return a function that makes an error of this class, with the meaning of the fault."""
    return lambda fault: kind(f"{meaning}: vSphere says {_text(fault)}")


def _failed(meaning: str) -> _Make:
    return lambda fault: HypervisorError(f"{meaning}: vSphere says {_text(fault)}", fault.name)


def _wrong_state(fault: Fault) -> SimplestackError:
    current, needed = fault.fields.get("existingState", ""), fault.fields.get("requestedState", "")
    return InvalidState(
        "do this to the guest",
        _STATES.get(current, current or "in another state"),
        _STATES.get(needed, needed or "in the right state"),
    )


def _gone(fault: Fault) -> SimplestackError:
    return EntityNotFound("Object", f"{fault.fields.get('obj', '')} (removed meanwhile)".lstrip())


def _bad_login(_fault: Fault) -> SimplestackError:
    return Unauthorized("vSphere rejected the user name or the password")


_WRONG = _as(InvalidArguments, "vSphere rejects the request")
_CANNOT = _as(OperationNotSupported, "this host does not support it")
_FULL = _as(InsufficientStorage, "the datastore does not have enough free space")
_DENIED = _as(PermissionDenied, "the user does not have permission")
_HELD = _as(Busy, "another operation is in progress: try again later")
_NOT_NOW = _as(Conflict, "this is not possible in the current state")
_IN_USE = _as(Conflict, "it is in use")
_NO_TOOLS = _as(Conflict, "the guest's VMware Tools do not run: start them, or use `force`")
_NO_ROOM = _failed("no host has enough free resources")
_NO_HOST = _failed("vSphere cannot reach the host")
_NOT_READ = _failed("vSphere cannot read or write a file of the guest")
_BAD_IMAGE = _as(InvalidArguments, "the image cannot be used")

#: Faults by what they are about.
_TABLE: dict[str, _Make] = {
    # authentication and permissions
    "InvalidLogin": _bad_login,
    "InvalidLocale": _bad_login,
    "PasswordExpired": _as(Unauthorized, "the password has expired"),
    "NoPermission": _DENIED,
    "RestrictedByAdministrator": _DENIED,
    "NotAuthenticated": lambda _fault: HypervisorUnavailable(
        "vSphere has ended the session: try again later"
    ),
    # invalid and unsupported requests
    "ManagedObjectNotFound": _gone,
    "InvalidArgument": _WRONG,
    "InvalidName": _WRONG,
    "InvalidDatastorePath": _WRONG,
    "InvalidVmConfig": _WRONG,
    "InvalidDeviceSpec": _WRONG,
    "InvalidController": _WRONG,
    "InvalidFolder": _WRONG,
    "InvalidFormat": _BAD_IMAGE,
    "MismatchedNetworkPolicies": _WRONG,
    "NotEnoughCpus": _as(InvalidArguments, "the host has fewer processors"),
    "NumVirtualCpusExceedsLimit": _WRONG,
    "MemorySizeNotSupported": _WRONG,
    "MemorySizeNotRecommended": _WRONG,
    "NumVirtualCpusNotSupported": _WRONG,
    "MethodNotFound": _CANNOT,
    "NotSupported": _CANNOT,
    "NotImplemented": _CANNOT,
    "NotEnoughLicenses": _failed("vSphere has too few licenses"),
    "LicenseRestricted": _CANNOT,
    "RestrictedVersion": _CANNOT,
    "UnsupportedGuest": _CANNOT,
    # operations in progress
    "TaskInProgress": _HELD,
    "ConcurrentAccess": _HELD,
    "ResourceInUse": _IN_USE,
    "FileLocked": _IN_USE,
    "Timedout": _failed("vSphere's own time limit has passed"),
    "RequestCanceled": _as(Conflict, "the operation was cancelled"),
    # guests
    "InvalidPowerState": _wrong_state,
    "InvalidState": _NOT_NOW,
    "DuplicateName": _as(Conflict, "another object has this name: choose another name"),
    "AlreadyExists": _as(Conflict, "it exists already"),
    "ToolsUnavailable": _NO_TOOLS,
    "QuestionPending": _as(Conflict, "vSphere has a question about the guest: answer it in vSphere"),
    "CpuHotPlugNotSupported": _as(Conflict, "the guest cannot get processors while it runs: stop it"),
    "MemoryHotPlugNotSupported": _as(Conflict, "the guest cannot get memory while it runs: stop it"),
    "DeviceHotPlugNotSupported": _as(Conflict, "the device cannot be changed while the guest runs: stop it"),
    "DeviceNotFound": _NOT_NOW,
    "TooManyDevices": _as(Conflict, "the guest has no free device"),
    "InsufficientResourcesFault": _NO_ROOM,
    "NoCompatibleHost": _failed("no host can run the guest"),
    "VmConfigIncompatibleForFaultTolerance": _NOT_NOW,
    "SnapshotFault": _failed("the snapshot failed"),
    "SnapshotIncompatibleDeviceInVm": _as(Conflict, "vSphere takes no snapshot of a guest with this device"),
    "TooManySnapshotLevels": _as(Conflict, "the guest has too many snapshots: delete some"),
    "MultipleSnapshotsNotSupported": _CANNOT,
    "MigrationFault": _NOT_NOW,
    "CustomizationFault": _WRONG,
    # hosts
    "HostCommunication": _NO_HOST,
    "HostNotConnected": _NO_HOST,
    "HostNotReachable": _NO_HOST,
    "HostConnectFault": _NO_HOST,
    "NoDisksToCustomize": _WRONG,
    # files and datastores
    "FileNotFound": _as(Conflict, "a file is missing"),
    "FileAlreadyExists": _as(Conflict, "a file of this name exists"),
    "FileFault": _NOT_READ,
    "CannotAccessFile": _NOT_READ,
    "CannotAccessVmComponent": _NOT_READ,
    "NoDiskSpace": _FULL,
    "FileTooLarge": _as(InvalidArguments, "the datastore does not support a file of this size"),
    "InsufficientStorageSpace": _FULL,
    "InsufficientStorageIops": _FULL,
    "InaccessibleDatastore": _as(Conflict, "the datastore is not accessible"),
    "DatastoreNotWritableOnHost": _as(Conflict, "the host cannot write to the datastore"),
    "InvalidDatastore": _as(Conflict, "the datastore cannot be used"),
    "InvalidDatastoreState": _as(Conflict, "the datastore cannot be used now"),
    # networks
    "DvsFault": _failed("the distributed switch failed"),
    "HostConfigFault": _failed("a host failed"),
    "VAppConfigFault": _NOT_NOW,
    # images of guests
    "OvfFault": _BAD_IMAGE,
    "OvfImport": _BAD_IMAGE,
    "OvfExport": _as(Conflict, "the guest cannot be exported"),
    "OvfUnsupportedPackage": _BAD_IMAGE,
}
