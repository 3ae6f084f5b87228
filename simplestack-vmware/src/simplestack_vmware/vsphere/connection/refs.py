"""References to managed objects, and pyvmomi's classes of them."""

from typing import Any

from msgspec import Struct

from simplestack_vmware.sdk import VmomiSupport

_NAMESPACE = "urn:vim25"


class Ref(Struct, frozen=True, gc=False):
    """A reference to a managed object."""

    #: Its type, such as ``VirtualMachine``.
    type: str
    #: Its managed object ID, such as ``vm-12``.
    value: str


def managed_type(name: str) -> Any:
    """Return pyvmomi's class of managed objects.

    :raises KeyError: pyvmomi does not know the type
    """
    return VmomiSupport.GetWsdlType(_NAMESPACE, name)


def types_above(name: str) -> list[str]:
    """Return a type of managed objects and the types above it, as far as pyvmomi knows them."""
    try:
        kind = managed_type(name)
    except KeyError:
        return [name]
    return [base._wsdlName for base in kind.__mro__ if hasattr(base, "_wsdlName")]  # noqa: SLF001  pyvmomi's naming
