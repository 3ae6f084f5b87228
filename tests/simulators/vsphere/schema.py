"""The types, fields and methods of the vSphere API, read from pyVmomi's type tables at run time.

Only this module knows how the tables are laid out. Everything else names types by their pyVmomi class.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from pyVmomi import VmomiSupport, vmodl

#: The tables have no type hints.
TABLES: Any = VmomiSupport
NAMESPACE = "urn:vim25"

DataObject: Any = TABLES.DataObject
ManagedObject: Any = TABLES.ManagedObject
MethodFault: Any = vmodl.MethodFault
Enum: Any = TABLES.Enum
#: Types of one value that are neither objects nor enums. ``object`` is XML Schema's ``anyType``.
TypeName, MethodName, PropertyPath, Link = type, TABLES.ManagedMethod, TABLES.PropertyPath, TABLES.Link
Long, Int, Short, Byte = TABLES.long, int, TABLES.short, TABLES.byte
Double, Float, Binary, Uri = TABLES.double, float, TABLES.binary, TABLES.URI


class Field(NamedTuple):
    """A property of an object, or a parameter of a method."""

    name: str
    #: The pyVmomi class of one value: of an item, if it is an array.
    type: Any
    is_array: bool
    is_optional: bool
    #: The API version that has introduced it, as the tables name it.
    version: str
    #: The privilege that it needs. For a parameter, on the object that is passed.
    privilege: str | None


class Method(NamedTuple):
    """A method of a managed type."""

    #: Its name in SOAP: ``PowerOnVM_Task``.
    name: str
    owner: Any
    version: str
    parameters: tuple[Field, ...]
    result: Field
    is_task: bool
    #: None if the privilege depends on the object.
    privilege: str | None
    #: The faults that it declares, besides runtime faults.
    faults: tuple[Any, ...]
    #: What its tasks have as ``TaskInfo.descriptionId``: ``VirtualMachine.powerOn``.
    description_id: str

    def declares(self, fault: BaseException) -> bool:
        """Return whether a client of this method may get a fault."""
        return isinstance(fault, (vmodl.RuntimeFault, *self.faults))


def type_by_name(name: str) -> Any:
    """Return the class of a type by its name in SOAP; ``ArrayOf...`` is an array.

    :raises KeyError: there is no such type
    """
    return TABLES.GetWsdlType(NAMESPACE, name)


def name_of(kind: Any) -> str:
    """Return the name of a type in SOAP: ``VirtualMachine``."""
    name: str = TABLES.GetWsdlName(kind)
    return name


def vmodl_name(kind: Any) -> str:
    """Return the name of a type as messages have it: ``vim.VirtualMachine``."""
    name: str = TABLES.GetVmodlName(kind)
    return name


@cache
def fields(kind: Any) -> tuple[Field, ...]:
    """Return the properties of a data object or managed object, its base type's first, as the WSDL does.

    A fault's ``msg`` is pyVmomi's own: SOAP has the message outside the fault.
    """
    skipped = {"msg"} if issubclass(kind, MethodFault) else set()
    return tuple(_field(info) for info in kind._GetPropertyList() if info.name not in skipped)


@cache
def fields_by_name(kind: Any) -> Mapping[str, Field]:
    """Return the properties of a data object or managed object by name."""
    return {field.name: field for field in fields(kind)}


#: How pyVmomi reads one property: a method that all objects have, and the tables do not.
_FETCH = Method(
    name="Fetch",
    owner=ManagedObject,
    version=TABLES.BASE_VERSION,
    parameters=(
        Field("prop", str, is_array=False, is_optional=False, version=TABLES.BASE_VERSION, privilege=None),
    ),
    result=Field(
        "returnval", object, is_array=False, is_optional=True, version=TABLES.BASE_VERSION, privilege=None
    ),
    is_task=False,
    privilege="System.Anonymous",
    faults=(),
    description_id="",
)


@cache
def find_method(name: str) -> Method | None:
    """Return the method with a name in SOAP."""
    if name == _FETCH.name:
        return _FETCH
    try:
        info = TABLES.GetWsdlMethod(NAMESPACE, name).info
    except KeyError:
        return None
    own = TABLES.Uncapitalize(info.name)
    return Method(
        name=name,
        owner=info.type,
        version=info.version,
        parameters=tuple(_field(parameter) for parameter in info.params),
        result=_of_type("returnval", info.result, info.resultFlags, info.version, None),
        is_task=info.isTask,
        privilege=info.privId,
        faults=tuple(TABLES.GetVmodlType(fault) for fault in info.faults),
        description_id=f"{name_of(info.type)}.{own}",
    )


def check_value(kind: Any, name: str, value: Any) -> None:
    """Check that a value is of the type of a property.

    :raises TypeError: it is not, or the property cannot be unset
    """
    TABLES.CheckField(kind._GetPropertyInfo(name), value)


@cache
def subtypes(kind: Any) -> tuple[Any, ...]:
    """Return all data types that extend a type."""
    everything = [TABLES.GetVmodlType(name) for name in TABLES.ListDataTypes()]
    return tuple(found for found in everything if found is not kind and issubclass(found, kind))


def _field(info: Any) -> Field:
    return _of_type(info.name, info.type, info.flags, info.version, getattr(info, "privId", None))


def _of_type(name: str, kind: Any, flags: int, version: str, privilege: str | None) -> Field:
    is_array = isinstance(kind, type) and issubclass(kind, list)
    item: Any = getattr(kind, "Item", None) if is_array else kind
    return Field(name, item, is_array, bool(flags & TABLES.F_OPTIONAL), version, privilege)
