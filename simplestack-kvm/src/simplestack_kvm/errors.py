"""Translate libvirt's errors to Simplestack's, in one table.

The error numbers are stable (https://libvirt.org/html/libvirt-virterror.html). If libvirt uses a number for
several errors, its text decides.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from simplestack import (
    Busy,
    Conflict,
    EntityNotFound,
    HypervisorError,
    HypervisorUnavailable,
    InsufficientStorage,
    InvalidArguments,
    OperationNotSupported,
    PermissionDenied,
    SimplestackError,
    Target,
    Unauthorized,
)
from simplestack_kvm.sdk import libvirt

_PATH = re.compile(r"(?<=')/[^']+(?=')|(?<![\w/:])(?:/[\w.@+-]+){2,}/?")
#: libvirt's error for an unknown host key: there is no user to ask.
_UNKNOWN_HOST_KEY = "no suitable callback for host key verification"
_QUOTED = re.compile(r"'([^']+)'")
_NO_SPACE = re.compile(r"no space left|not enough (free )?space|disk quota exceeded", re.IGNORECASE)
#: QEMU and qemu-img lock the images that they use.
_LOCKED = re.compile(r'Failed to get (shared )?"\w+" lock')
#: QEMU's error for growing an image of the version before compat 1.1.
_VERSION_2 = "Can't resize a v2 image which has snapshots"
_COMMAND = re.compile(r"Child process \(.*\) unexpected", re.DOTALL)
_INACTIVE_POOL = re.compile(r"storage pool '.*' containing volume '.*' is not active")
_INACTIVE_NETWORK = re.compile(r"network '.*' is not active")
_NO_FILTER = re.compile(r"referenced filter '.*' is missing")
_NO_FILE = re.compile(r"(file|open) '.*No such file or directory", re.DOTALL)
_TAKEN = re.compile(r"already exists|already in use|is already (defined|active)", re.IGNORECASE)


def translate(error: Exception) -> SimplestackError | None:
    """Translate an error of libvirt; return None for other errors.

    An object that no longer exists becomes EntityNotFound, with the ID in libvirt's text. An operation that
    the state does not allow (55) becomes Conflict: hooks check the state before, and raise InvalidState.
    """
    # Before the SDK is imported, no error is one of its own.
    if sys.modules.get("libvirt") is None or not isinstance(error, libvirt.libvirtError):
        return None
    code, text = error.get_error_code(), public_reason_of(error)
    if not code:
        return HypervisorError(
            f"{text}: check whether the operation took effect; libvirtd's log on the host may have details"
        )
    if _is_lost(error):
        return HypervisorUnavailable(f"the connection to libvirtd broke: {text}")
    make = _maker_by_text(text) or _table().get(code, Conflict if _TAKEN.search(text) else None)
    if make is not None:
        return make(text)
    return HypervisorError(f"libvirt failed: {text}", code)


def not_connected(error: "libvirt.libvirtError", target: Target, *, as_caller: bool) -> SimplestackError:
    """Translate an error of ``virConnectOpenAuth``, without local paths such as those of keys.

    :param as_caller: whether the client's password was used; otherwise its credentials cannot be wrong
    """
    code, text = error.get_error_code(), _PATH.sub("(a local file)", reason_of(error))
    if as_caller and code in (
        libvirt.VIR_ERR_AUTH_FAILED,
        libvirt.VIR_ERR_AUTH_CANCELLED,
        libvirt.VIR_ERR_SSH,
    ):
        return Unauthorized(f"{target} rejected the user name or the password")
    if _UNKNOWN_HOST_KEY in text:
        return HypervisorUnavailable(
            f"{target}: its ssh host key is unknown; ask the operator of this service to check it and to "
            "add it to ssh_known_hosts_file"
        )
    return HypervisorUnavailable(f"cannot connect to libvirt at {target}: {text}")


def reason_of(error: "libvirt.libvirtError") -> str:
    """Return libvirt's text. Without a text, name the failed function of libvirt."""
    return error.get_error_message() or f"libvirt failed without a reason ({error})"


def _maker_by_text(text: str) -> Callable[[str], SimplestackError] | None:
    """Return the error class for a text that is more specific than its number."""
    if _LOCKED.search(text):
        return lambda _: Conflict(
            "a disk or an image is in use by a running guest: stop that guest, or use another image"
        )
    if _VERSION_2 in text:
        return lambda _: Conflict(
            "a qcow2 image of version 2 (compat 0.10) cannot grow while it has snapshots: delete them first"
        )
    return InsufficientStorage if _NO_SPACE.search(text) else None


@contextmanager
def needing_parts(attempt: str) -> Iterator[None]:
    """Convert errors about missing parts of a guest to Conflict, since the guest itself exists.

    :param attempt: what was tried, such as ``start the guest``
    :raises Conflict: a network, a storage or a volume is missing or not active
    """
    try:
        yield
    except libvirt.libvirtError as error:
        missing = _missing_part(error)
        if missing is None:
            raise
        needed = f"the guest needs {missing}: create or start it, or change the guest"
        raise Conflict(f"cannot {attempt}: {needed}") from None


def _missing_part(error: "libvirt.libvirtError") -> str | None:
    code, text = error.get_error_code(), error.get_error_message() or ""
    names = [name.rsplit("/", 1)[-1] for name in _QUOTED.findall(text)]  # a volume may be named by its path
    kind = _parts().get(code or 0)
    if kind is not None:
        return f"{kind} {names[0]!r}, which does not exist" if names else f"a {kind} that does not exist"
    if _INACTIVE_POOL.search(text) and names:
        return f"storage {names[0]!r}, which is not active"
    if _INACTIVE_NETWORK.search(text) and names:
        return f"network {names[0]!r}, which is not active"
    if _NO_FILTER.search(text) and names:
        return f"network filter {names[0]!r}, which does not exist"
    if has_reason(error) and _NO_FILE.search(text):
        return "a disk whose file does not exist"
    return None


@cache
def _parts() -> dict[int, str]:
    """Return the parts of a guest, by libvirt's error number for a missing one."""
    return {
        libvirt.VIR_ERR_NO_NETWORK: "network",
        libvirt.VIR_ERR_NO_STORAGE_POOL: "storage",
        libvirt.VIR_ERR_NO_STORAGE_VOL: "volume",
        libvirt.VIR_ERR_NO_NWFILTER: "network filter",
        libvirt.VIR_ERR_NO_SECRET: "secret",
        libvirt.VIR_ERR_NO_NODE_DEVICE: "device of the host",
    }


def is_locked(error: "libvirt.libvirtError") -> bool:
    """Return whether QEMU or qemu-img failed since another process uses the image."""
    return _LOCKED.search(error.get_error_message() or "") is not None


def is_without_folder(error: "libvirt.libvirtError") -> bool:
    """Return whether creating a volume failed since the pool's folder does not exist."""
    return "No such file or directory" in (error.get_error_message() or "")


def public_reason_of(error: "libvirt.libvirtError") -> str:
    """Return libvirt's text for clients, without commands and paths of the host."""
    return _PATH.sub(
        "(a file on the host)", _COMMAND.sub("a command on the host ended with unexpected", reason_of(error))
    )


def is_error(error: "libvirt.libvirtError", *codes: int) -> bool:
    """Return whether libvirtd itself returned one of these codes."""
    return has_reason(error) and error.get_error_code() in codes


def has_reason(error: "libvirt.libvirtError") -> bool:
    """Return whether libvirtd itself returned the error.

    Otherwise the connection failed, or the cause is unknown, and the error says nothing about the guest or
    the volume: raise it.
    """
    return bool(error.get_error_code()) and error.get_error_domain() not in (
        libvirt.VIR_FROM_RPC,
        libvirt.VIR_FROM_SSH,
    )


def _is_lost(error: "libvirt.libvirtError") -> bool:
    """Return whether the connection failed. Its errors have the same numbers as those of calls."""
    if error.get_error_code() in (
        libvirt.VIR_ERR_RPC,
        libvirt.VIR_ERR_NO_CONNECT,
        libvirt.VIR_ERR_INVALID_CONN,
    ):
        return True
    return error.get_error_domain() in (
        libvirt.VIR_FROM_RPC,
        libvirt.VIR_FROM_SSH,
    ) and error.get_error_code() in (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR)


@cache
def _table() -> dict[int, Callable[[str], SimplestackError]]:
    """Return the functions that make an error from libvirt's text, by error number."""
    return {
        libvirt.VIR_ERR_NO_DOMAIN: _missing("Guest"),
        libvirt.VIR_ERR_NO_NETWORK: _missing("Network"),
        libvirt.VIR_ERR_NO_STORAGE_POOL: _missing("Storage"),
        libvirt.VIR_ERR_NO_STORAGE_VOL: _missing("Volume"),
        libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT: _missing("Snapshot"),
        libvirt.VIR_ERR_NO_DOMAIN_METADATA: _missing("Metadata"),
        libvirt.VIR_ERR_DEVICE_MISSING: _missing("Device"),
        libvirt.VIR_ERR_AUTH_FAILED: Unauthorized,
        libvirt.VIR_ERR_AUTH_CANCELLED: Unauthorized,
        libvirt.VIR_ERR_ACCESS_DENIED: PermissionDenied,
        libvirt.VIR_ERR_OPERATION_DENIED: PermissionDenied,
        libvirt.VIR_ERR_INVALID_ARG: InvalidArguments,
        libvirt.VIR_ERR_XML_ERROR: InvalidArguments,
        libvirt.VIR_ERR_XML_DETAIL: InvalidArguments,
        libvirt.VIR_ERR_XML_INVALID_SCHEMA: InvalidArguments,
        libvirt.VIR_ERR_INVALID_DOMAIN_SNAPSHOT: InvalidArguments,
        libvirt.VIR_ERR_OPERATION_INVALID: Conflict,
        libvirt.VIR_ERR_SNAPSHOT_REVERT_RISKY: Conflict,
        libvirt.VIR_ERR_AGENT_UNRESPONSIVE: Conflict,
        libvirt.VIR_ERR_AGENT_UNSYNCED: Conflict,
        libvirt.VIR_ERR_DOM_EXIST: Conflict,
        libvirt.VIR_ERR_NETWORK_EXIST: Conflict,
        libvirt.VIR_ERR_STORAGE_VOL_EXIST: Conflict,
        libvirt.VIR_ERR_OPERATION_TIMEOUT: Busy,
        libvirt.VIR_ERR_RESOURCE_BUSY: Busy,
        libvirt.VIR_ERR_NO_SUPPORT: OperationNotSupported,
        libvirt.VIR_ERR_OPERATION_UNSUPPORTED: OperationNotSupported,
        libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED: OperationNotSupported,
        libvirt.VIR_ERR_CONFIG_UNSUPPORTED: OperationNotSupported,
    }


def _missing(entity: str) -> Callable[[str], SimplestackError]:
    def make(text: str) -> SimplestackError:
        quoted = _QUOTED.search(text)
        return EntityNotFound(entity, quoted[1] if quoted else text)

    return make
