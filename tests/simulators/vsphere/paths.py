"""Property paths: ``config.hardware.device[2000].backing``."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from pyVmomi import vmodl

from simulators.vsphere.schema import DataObject, Field, ManagedObject, fields_by_name, subtypes
from simulators.vsphere.versions import includes

_STEP = re.compile(r'([A-Za-z_]\w*)(?:\[(?:"([^"]*)"|([^"\]]+))\])?(?:\.|\Z)')


@cache
def steps(path: str) -> tuple[str, ...]:
    """Split a path: names of properties, and keys as ``[2000]``.

    :raises InvalidProperty: it is no path
    """
    found: list[str] = []
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            break
        found.append(step[1])
        key = step[2] if step[2] is not None else step[3]
        if key is not None:
            found.append(f"[{key}]")
        position = step.end()
    if not found or position < len(path) or path.endswith("."):
        raise vmodl.query.InvalidProperty(name=path)
    return tuple(found)


def walk(value: Any, rest: Sequence[str]) -> Any:
    """Follow the steps from a value; None where there is nothing."""
    for step in rest:
        if value is None:
            return None
        if step.startswith("["):
            value = next((item for item in value if _key(item) == step[1:-1]), None)
        else:
            value = getattr(value, step, None)
    return value


@cache
def resolve(kind: Any, path: str, version: str) -> Field:
    """Return what the values at a path are: the last property, or an item of it if the path ends with a key.

    :param kind: the managed type that the path begins at
    :raises InvalidProperty: the type has no such path in this API version
    """
    field: Field | None = None
    for step in steps(path):
        if step.startswith("["):
            if field is None or not field.is_array:
                raise vmodl.query.InvalidProperty(name=path)
            field = field._replace(is_array=False)
            continue
        if field is not None:
            if field.is_array or not issubclass(field.type, DataObject):
                raise vmodl.query.InvalidProperty(name=path)
            field = fields_by_name(field.type).get(step) or _in_subtypes(field.type, step)
        else:
            field = fields_by_name(kind).get(step)
        if field is None or not includes(version, field.version):
            raise vmodl.query.InvalidProperty(name=path)
    if field is None:
        raise vmodl.query.InvalidProperty(name=path)
    return field


def _in_subtypes(kind: Any, name: str) -> Field | None:
    """Return a property that only some types have which extend a type: a disk backing's ``fileName``."""
    return next((own for found in subtypes(kind) if (own := fields_by_name(found).get(name))), None)


def _key(item: Any) -> str:
    if isinstance(item, ManagedObject):
        return str(item._moId)
    return str(getattr(item, "key", item))
