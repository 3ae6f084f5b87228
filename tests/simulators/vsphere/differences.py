"""What has changed within a property: the ``PropertyChange`` entries of partial updates."""

from collections.abc import Iterator
from typing import Any

from pyVmomi import vmodl

from simulators.vsphere.data import make
from simulators.vsphere.schema import DataObject, Field, fields
from simulators.vsphere.versions import includes
from simulators.vsphere.wires import Wire

_Collector: Any = vmodl.query.PropertyCollector


def change(path: str, operation: str, value: Any = None) -> Any:
    """Return a ``PropertyChange``."""
    return make(_Collector.Change, name=path, op=operation, val=value)


def partial_changes(path: str, field: Field, before: Any, after: Any, wire: Wire) -> Iterator[Any]:
    """Yield the smallest changes that lead from a value to another one.

    :param path: of both
    :param field: what both are
    """
    if before == after and not isinstance(after, DataObject | list):
        return
    if after is None:
        yield change(path, "assign")
    elif field.is_array:
        yield from _of_array(path, field, before or [], after, wire)
    elif isinstance(after, DataObject) and type(before) is type(after):
        kind: Any = type(after)
        for own in fields(kind):
            if includes(wire.version, own.version):
                pair = getattr(before, own.name), getattr(after, own.name)
                yield from partial_changes(f"{path}.{own.name}", own, *pair, wire)
    elif not _same(before, after, field, wire):
        yield change(path, "assign", wire.property(field, after))


def _of_array(path: str, field: Field, before: list[Any], after: list[Any], wire: Wire) -> Iterator[Any]:
    item = field._replace(is_array=False)
    if not _has_keys(before) or not _has_keys(after):
        if not _same(before, after, field, wire):
            yield change(path, "assign", wire.property(field, after))
        return
    old, new = ({each.key: each for each in items} for items in (before, after))
    for key in old.keys() - new.keys():
        yield change(f"{path}[{_shown(key)}]", "remove")
    for key, value in new.items():
        where = f"{path}[{_shown(key)}]"
        if key in old:
            yield from partial_changes(where, item, old[key], value, wire)
        else:
            yield change(where, "add", wire.property(item, value))


def _has_keys(items: list[Any]) -> bool:
    keys = [getattr(item, "key", None) if isinstance(item, DataObject) else None for item in items]
    return all(isinstance(key, int | str) for key in keys)


def _shown(key: Any) -> str:
    return f'"{key}"' if isinstance(key, str) else str(key)


def _same(before: Any, after: Any, field: Field, wire: Wire) -> bool:
    if before is None or after is None:
        return before is after
    return bool(wire.property(field, before) == wire.property(field, after))
