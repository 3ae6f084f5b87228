"""What the drivers of storages can do, and how they fail."""

from collections.abc import Mapping

from msgspec import Struct

from simulators.xapi.database import Object
from simulators.xapi.failures import Failure

_MIB = 1024**2
#: Drivers keep disks as VHD files, whose blocks have this size, and whose size has this limit.
_BLOCK_BYTES = 2 * _MIB
_MAX_BYTES = 2040 * 1024 * _MIB


class _Kind(Struct, frozen=True):
    features: frozenset[str]
    #: Whether it reports by numbers, as XAPI's own drivers do.
    has_numbers: bool = True


_ALL = frozenset({"create", "destroy", "clone", "snapshot", "resize"})
_NONE: frozenset[str] = frozenset()
#: By ``SR.type``.
_KINDS: Mapping[str, _Kind] = {
    **dict.fromkeys(("lvm", "lvmoiscsi", "lvmohba", "ext", "nfs", "smb"), _Kind(_ALL)),
    **dict.fromkeys(("iso", "udev", "iscsi", "hba"), _Kind(_NONE)),
}
_OTHER = _Kind(_ALL, has_numbers=False)


def need_feature(storage: Object, name: str) -> None:
    """Check that a storage's driver has a feature.

    :raises Failure: SR_OPERATION_NOT_SUPPORTED
    """
    if name not in _kind(storage).features:
        raise Failure("SR_OPERATION_NOT_SUPPORTED", storage.ref)


def rounded(size: int) -> int:
    """Return the size that a disk has when somebody asks for one.

    :raises Failure: SR_BACKEND_FAILURE_79
    """
    if not 0 <= size <= _MAX_BYTES:
        raise invalid_size(f"VDI size must be between 1 MB and {_MAX_BYTES // _MIB} MB")
    return -(-max(size, 1) // _BLOCK_BYTES) * _BLOCK_BYTES


def invalid_size(reason: str) -> Failure:
    """Return how drivers refuse a size."""
    return Failure("SR_BACKEND_FAILURE_79", "", f"VDI Invalid size [opterr={reason}]", "")


def take_room(storage: Object, size: int) -> None:
    """Take room in a storage, or give it back.

    Real drivers report a full storage as SR_BACKEND_FAILURE_44. XAPI documents SR_FULL for that too, which
    none of them gives; the storage that a pool begins with is of a kind of its own, ``simulated``, and does.

    :raises Failure: SR_BACKEND_FAILURE_44 or SR_FULL
    """
    free = storage["physical_size"] - storage["physical_utilisation"]
    if size > free:
        if _kind(storage).has_numbers:
            raise Failure("SR_BACKEND_FAILURE_44", "", "There is insufficient space", "")
        raise Failure("SR_FULL", str(size), str(free))
    storage["physical_utilisation"] += size
    storage["virtual_allocation"] += size


def _kind(storage: Object) -> _Kind:
    return _KINDS.get(storage["type"], _OTHER)
