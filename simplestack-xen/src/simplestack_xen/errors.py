"""Translate XAPI's errors (``XenAPI.Failure``) to Simplestack's, in one table.

XAPI's data model (https://xapi-project.github.io/xen-api/errors.html) has the codes and their parameters.
Codes that are not in the table become 502 with XAPI's own text.
"""

import sys
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
    OperationTimeout,
    PermissionDenied,
    SimplestackError,
    Unauthorized,
)
from simplestack_xen.sdk import XenAPI

_ENTITIES = {
    "vm": "Guest",
    "vdi": "Disk",
    "vbd": "Disk",
    "vif": "NetworkInterface",
    "sr": "Storage",
    "network": "Network",
    "host": "Host",
    "pif": "Network",
}
_STATES = {
    "running": GuestState.STARTED,
    "halted": GuestState.STOPPED,
    "paused": GuestState.PAUSED,
    "suspended": GuestState.PAUSED,
}

#: Makes an error from a failure.
_Make = Callable[["XenAPI.Failure"], SimplestackError]


def parameter(failure: "XenAPI.Failure", position: int) -> str:
    """Return a parameter of an error, counted from 0; empty if XAPI sent fewer."""
    parameters = failure.details[1:]
    return str(parameters[position]) if position < len(parameters) else ""


def translate(error: Exception) -> SimplestackError | None:
    """Translate an error of XAPI; return None for other errors."""
    # Before the SDK is imported, no error is one of its own.
    if sys.modules.get("XenAPI") is None or not isinstance(error, XenAPI.Failure):
        return None
    make = _TABLE.get(_code(error))
    if make is not None:
        return make(error)
    return HypervisorError(f"XAPI failed: {_text(error)}", _code(error))


def _code(failure: "XenAPI.Failure") -> str:
    return str(failure.details[0]) if failure.details else "UNKNOWN"


def _text(failure: "XenAPI.Failure") -> str:
    """Return XAPI's code and parameters, without references, which mean nothing to clients."""
    said = [part for part in failure.details[1:] if part and not part.startswith("OpaqueRef:")]
    return f"{_code(failure)} ({', '.join(said)})" if said else _code(failure)


def _as(kind: type[SimplestackError], meaning: str) -> _Make:
    """Return a function that makes an error of this class, with the meaning of the code."""
    return lambda failure: kind(f"{meaning}: XAPI says {_text(failure)}")


def _missing(failure: "XenAPI.Failure") -> SimplestackError:
    kind, what = parameter(failure, 0), parameter(failure, 1)
    if what.startswith("OpaqueRef:"):
        what = "(removed meanwhile)"
    return EntityNotFound(_ENTITIES.get(kind.lower(), kind), what)


def _wrong_state(failure: "XenAPI.Failure") -> SimplestackError:
    needed = [_STATES.get(word.strip().lower(), word.strip()) for word in parameter(failure, 1).split(",")]
    current = parameter(failure, 2)
    return InvalidState(
        "do this to the guest",
        _STATES.get(current.lower(), current or "unknown"),
        " or ".join(dict.fromkeys(needed)),
    )


def _is_template(_failure: "XenAPI.Failure") -> SimplestackError:
    return InvalidState.of_template("do this to the guest")


def _bad_login(_failure: "XenAPI.Failure") -> SimplestackError:
    return Unauthorized("XAPI rejected the user name or the password")


def _failed(meaning: str) -> _Make:
    return lambda failure: HypervisorError(f"{meaning}: XAPI says {_text(failure)}", _code(failure))


def _temporary(meaning: str) -> _Make:
    return lambda failure: HypervisorUnavailable(f"{meaning}: XAPI says {_text(failure)}")


_IN_USE = _as(Conflict, "it is in use")
_TAKEN = _as(Conflict, "it is already in use")
_VLAN_TAKEN = _as(Conflict, "another network already uses this VLAN: use that network, or another `vlan`")
_WRONG = _as(InvalidArguments, "XAPI rejects the request")
_CANNOT = _as(OperationNotSupported, "this host does not support it")
_FULL = _as(InsufficientStorage, "the storage does not have enough free space")
_DENIED = _as(PermissionDenied, "the user does not have permission")
_HELD = _as(Busy, "another operation is in progress: try again later")
_NOT_NOW = _as(Conflict, "this is not possible in the current state")
_NO_HA = _as(Conflict, "this would break the pool's high availability")
_NO_TOOLS = _as(Conflict, "the guest's tools do not support it, or have not started")
_BAD_IMAGE = _as(InvalidArguments, "the image cannot be read")

#: Codes by what they are about. The numbers of SR_BACKEND_FAILURE are the storage drivers':
#: https://github.com/xapi-project/sm, ``drivers/XE_SR_ERRORCODES.xml``.
_TABLE: dict[str, _Make] = {
    # authentication and permissions
    "SESSION_AUTHENTICATION_FAILED": _bad_login,
    "SESSION_AUTHORIZATION_FAILED": _DENIED,
    "SESSION_INVALID": _temporary("the session has ended"),
    "USER_IS_NOT_LOCAL_SUPERUSER": _DENIED,
    "PERMISSION_DENIED": _DENIED,
    "RBAC_PERMISSION_DENIED": _DENIED,
    # invalid and unsupported requests
    "HANDLE_INVALID": _missing,
    "UUID_INVALID": _missing,
    "INVALID_VALUE": _WRONG,
    "FIELD_TYPE_ERROR": _WRONG,
    "VALUE_NOT_SUPPORTED": _WRONG,
    "MESSAGE_METHOD_UNKNOWN": _CANNOT,
    "MESSAGE_REMOVED": _CANNOT,
    "NOT_IMPLEMENTED": _CANNOT,
    "NOT_SUPPORTED_DURING_UPGRADE": _CANNOT,
    "FEATURE_RESTRICTED": _CANNOT,
    "LICENCE_RESTRICTION": _CANNOT,
    "LICENSE_RESTRICTION": _CANNOT,
    "OPENVSWITCH_NOT_ACTIVE": _CANNOT,
    "UNIMPLEMENTED_IN_SM_BACKEND": _CANNOT,
    # operations in progress, state of hosts
    "OTHER_OPERATION_IN_PROGRESS": _HELD,
    "TASK_CANCELLED": _as(Conflict, "the operation was cancelled"),
    "OPERATION_BLOCKED": _as(Conflict, "this operation is blocked on the guest"),
    "OPERATION_NOT_ALLOWED": _NOT_NOW,
    "TOO_MANY_PENDING_TASKS": _temporary("the host is overloaded"),
    "TOO_BUSY": _temporary("the host is overloaded"),
    "HOST_STILL_BOOTING": _temporary("the host is booting"),
    "HOST_IS_SLAVE": _temporary("the pool has another master"),
    "HOST_OFFLINE": _failed("a host of the pool is off"),
    "CANNOT_CONTACT_HOST": _failed("a host of the pool does not respond"),
    # guests
    "VM_BAD_POWER_STATE": _wrong_state,
    "VM_IS_TEMPLATE": _is_template,
    "VM_IS_SNAPSHOT": _NOT_NOW,
    "VM_IS_PROTECTED": _NOT_NOW,
    "VM_IS_IMMOBILE": _NOT_NOW,
    "VM_IS_PART_OF_AN_APPLIANCE": _NOT_NOW,
    "VM_IS_USING_NESTED_VIRT": _NOT_NOW,
    "VM_HAS_PCI_ATTACHED": _NOT_NOW,
    "VM_HAS_VGPU": _NOT_NOW,
    "VM_HAS_VUSBS": _NOT_NOW,
    "VM_NON_SUSPENDABLE": _NOT_NOW,
    "VM_ASSIGNED_TO_PROTECTION_POLICY": _NOT_NOW,
    "VM_ASSIGNED_TO_SNAPSHOT_SCHEDULE": _NOT_NOW,
    "PROVISION_ONLY_ALLOWED_ON_TEMPLATE": _NOT_NOW,
    "REVERT_ONLY_ALLOWED_ON_SNAPSHOT": _NOT_NOW,
    "VM_BIOS_STRINGS_ALREADY_SET": _NOT_NOW,
    "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN": _NO_HA,
    "HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED": _NO_HA,
    "HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED": _NO_HA,
    "VM_MISSING_PV_DRIVERS": _as(Conflict, "the guest's tools are not installed, or have not started"),
    "VM_OLD_PV_DRIVERS": _as(Conflict, "the guest's tools are too old"),
    "VM_LACKS_FEATURE": _NO_TOOLS,
    "VM_LACKS_FEATURE_SUSPEND": _NO_TOOLS,
    "VM_LACKS_FEATURE_SHUTDOWN": _NO_TOOLS,
    "VM_LACKS_FEATURE_VCPU_HOTPLUG": _NO_TOOLS,
    "VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT": _as(Conflict, "the guest's tools do not respond"),
    "VM_SHUTDOWN_TIMEOUT": _as(OperationTimeout, "the guest did not shut down in time"),
    "VM_REVERT_FAILED": _failed("the revert failed"),
    "VM_NO_SUSPEND_SR": _failed("the pool has no storage for the memory of guests"),
    "VM_HAS_NO_SUSPEND_VDI": _failed("the guest's memory is gone"),
    "VM_REQUIRES_SR": _failed("no host that is up is connected to the guest's storage"),
    "VM_REQUIRES_NETWORK": _failed("no host that is up is connected to the guest's network"),
    "VM_HVM_REQUIRED": _failed("no host supports HVM guests"),
    "HOST_NOT_ENOUGH_FREE_MEMORY": _failed("no host has enough free memory"),
    "HOST_NOT_ENOUGH_PCPUS": _failed("no host has enough processors"),
    "NO_HOSTS_AVAILABLE": _failed("no host can run the guest"),
    "MEMORY_CONSTRAINT_VIOLATION": _WRONG,
    "MEMORY_CONSTRAINT_VIOLATION_ORDER": _WRONG,
    "MEMORY_CONSTRAINT_VIOLATION_MAXPIN": _WRONG,
    "DUPLICATE_VM": _as(Conflict, "the guest exists already"),
    "VM_INCOMPATIBLE_WITH_THIS_HOST": _failed("no host can run the guest"),
    "VM_HOST_INCOMPATIBLE_VERSION": _failed("the host is older than the guest"),
    "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION": _failed("the host is older than the guest"),
    "VM_REQUIRES_GPU": _failed("no host has the graphics processor that the guest needs"),
    "VM_REQUIRES_IOMMU": _failed("no host has the IOMMU that the guest needs"),
    "VM_REQUIRES_VGPU": _failed("no host has the graphics processor that the guest needs"),
    "VM_SNAPSHOT_WITH_QUIESCE_FAILED": _failed("the guest's tools failed the snapshot"),
    "VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED": _NO_TOOLS,
    "VM_SNAPSHOT_WITH_QUIESCE_TIMEOUT": _as(OperationTimeout, "the guest's tools did not answer in time"),
    "BOOTLOADER_FAILED": _failed("the guest's bootloader failed"),
    "UNKNOWN_BOOTLOADER": _WRONG,
    "HOST_DISABLED": _failed("the host is disabled"),
    "HOST_NOT_LIVE": _failed("the host is off"),
    "HA_IS_ENABLED": _as(Conflict, "the pool has high availability"),
    # devices
    "DEVICE_ALREADY_ATTACHED": _IN_USE,
    "DEVICE_ALREADY_DETACHED": _NOT_NOW,
    "DEVICE_ALREADY_EXISTS": _TAKEN,
    "DEVICE_DETACH_REJECTED": _as(Busy, "the guest does not release the device"),
    "DEVICE_DETACH_TIMEOUT": _as(Busy, "the guest does not release the device"),
    "DEVICE_ATTACH_TIMEOUT": _as(Busy, "the guest does not attach the device"),
    "INVALID_DEVICE": _WRONG,
    "NO_MORE_DEVICES": _as(Conflict, "the guest has no free device"),
    "VBD_NOT_EMPTY": _NOT_NOW,
    "VBD_IS_EMPTY": _NOT_NOW,
    "VBD_NOT_UNPLUGGABLE": _as(Conflict, "the disk cannot be detached from a running guest: shut it down"),
    "VBD_TRAY_LOCKED": _as(
        Conflict, "the guest keeps its CD drive locked: unmount the CD in the guest, or stop the guest"
    ),
    "VBD_NOT_REMOVABLE_MEDIA": _WRONG,
    "DISK_VBD_MUST_BE_READWRITE_FOR_HVM": _NOT_NOW,
    # disk images
    "VDI_IN_USE": _IN_USE,
    "VDI_INCOMPATIBLE_TYPE": _WRONG,
    "VDI_READONLY": _WRONG,
    "VDI_TOO_SMALL": _WRONG,
    "VDI_NOT_MANAGED": _WRONG,
    "VDI_MISSING": _failed("the storage has lost the disk"),
    "VDI_IO_ERROR": _failed("the storage cannot read or write the disk"),
    "VDI_CONTENT_ID_MISSING": _WRONG,
    "VDI_IS_A_PHYSICAL_DEVICE": _NOT_NOW,
    "VDI_IS_SHARABLE": _NOT_NOW,
    "VDI_HAS_RRDS": _NOT_NOW,
    "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION": _NOT_NOW,
    "VDI_NOT_SPARSE": _WRONG,
    "VDI_NO_CBT_METADATA": _NOT_NOW,
    # networks
    "PIF_IS_VLAN": _WRONG,
    "PIF_UNMANAGED": _WRONG,
    "NETWORK_UNMANAGED": _WRONG,
    "IS_TUNNEL_ACCESS_PIF": _WRONG,
    "CANNOT_ADD_VLAN_TO_BOND_SLAVE": _WRONG,
    "VLAN_TAG_INVALID": _WRONG,
    "MAC_INVALID": _WRONG,
    "MAC_DOES_NOT_EXIST": _WRONG,
    "INVALID_IP_ADDRESS_SPECIFIED": _WRONG,
    "NETWORK_INCOMPATIBLE_PURPOSES": _WRONG,
    "CANNOT_PLUG_BOND_SLAVE": _as(InvalidArguments, "the interface is part of a bond"),
    "NETWORK_CONTAINS_VIF": _IN_USE,
    "NETWORK_CONTAINS_PIF": _IN_USE,
    "NETWORK_SRIOV_INSUFFICIENT_CAPACITY": _as(Conflict, "the network has no free SR-IOV interface"),
    "PIF_HAS_NO_NETWORK_CONFIGURATION": _NOT_NOW,
    "PIF_HAS_NO_V6_NETWORK_CONFIGURATION": _NOT_NOW,
    "PIF_INCOMPATIBLE_PRIMARY_ADDRESS_TYPE": _NOT_NOW,
    "PIF_NOT_PRESENT": _as(Conflict, "a host lacks the network's interface"),
    "PIF_VLAN_EXISTS": _VLAN_TAKEN,
    "VLAN_IN_USE": _VLAN_TAKEN,
    "NETWORK_ALREADY_CONNECTED": _VLAN_TAKEN,
    "HOST_CANNOT_ATTACH_NETWORK": _as(Conflict, "the guest's host is not connected to the network"),
    "MAC_STILL_EXISTS": _TAKEN,
    "DUPLICATE_MAC_SEED": _TAKEN,
    # images of guests
    "IMPORT_ERROR": _BAD_IMAGE,
    "IMPORT_ERROR_PREMATURE_EOF": _as(InvalidArguments, "the image is truncated"),
    "IMPORT_ERROR_SOME_CHECKSUMS_FAILED": _as(InvalidArguments, "the image is damaged"),
    "IMPORT_ERROR_FAILED_TO_FIND_OBJECT": _as(InvalidArguments, "a part of the image is missing"),
    "IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND": _as(InvalidArguments, "a disk is missing in the image"),
    "IMPORT_ERROR_CANNOT_HANDLE_CHUNKED": _WRONG,
    "IMPORT_ERROR_UNEXPECTED_FILE": _BAD_IMAGE,
    "IMPORT_INCOMPATIBLE_VERSION": _as(
        InvalidArguments, "the image was made by an incompatible version of XAPI"
    ),
    "CLIENT_ERROR": _failed("the transfer broke off"),
    # storages
    "SR_FULL": _FULL,
    "OUT_OF_SPACE": _FULL,
    "SR_BACKEND_FAILURE_44": _FULL,  # no space
    "SR_BACKEND_FAILURE_180": _FULL,  # more allocated than available
    "SR_BACKEND_FAILURE_16": _IN_USE,
    "SR_BACKEND_FAILURE_24": _IN_USE,
    "SR_BACKEND_FAILURE_46": _as(Conflict, "the storage does not have the disk available"),
    "SR_BACKEND_FAILURE_79": _as(InvalidArguments, "the storage does not support a disk of this size"),
    "SR_BACKEND_FAILURE_109": _as(Conflict, "the disk has too many snapshots: delete some"),
    "SR_HAS_NO_PBDS": _as(Conflict, "the storage is not connected to any host"),
    "SR_NOT_ATTACHED": _failed("the storage is not connected to the host"),
    "SR_UNHEALTHY": _failed("the storage is unhealthy"),
    "DEFAULT_SR_NOT_FOUND": _as(Conflict, "the pool has no default storage: set `storage` in the request"),
    "SR_OPERATION_NOT_SUPPORTED": _CANNOT,
    "SR_REQUIRES_UPGRADE": _CANNOT,
}
