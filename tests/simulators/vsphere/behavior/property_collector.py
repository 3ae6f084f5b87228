"""``PropertyCollector``: reading properties, in pages."""

import uuid
from typing import Any

from pyVmomi import vmodl

from simulators.vsphere.calls import Call
from simulators.vsphere.data import make
from simulators.vsphere.methods import method
from simulators.vsphere.properties import content
from simulators.vsphere.selection import Selection

PropertyCollector = vmodl.query.PropertyCollector
#: Pages that are still to be fetched: by token, the session and what is left.
_Left = list[tuple[Selection, str]]


def _invalid(name: str) -> vmodl.fault.InvalidArgument:
    return vmodl.fault.InvalidArgument(invalidProperty=name)


@method(PropertyCollector, "RetrievePropertiesEx")
def retrieve_properties_ex(call: Call, spec_set: list[Any], options: Any) -> Any:
    """Return the selected objects: all, or the first page and a token."""
    size = options.maxObjects
    if size is not None and size <= 0:
        raise _invalid("options.maxObjects")
    return _page(call, _selected(call, spec_set), size)


@method(PropertyCollector, "RetrieveProperties")
def retrieve_properties(call: Call, spec_set: list[Any]) -> list[Any]:
    """Return the selected objects."""
    return _contents(call, _selected(call, spec_set), "returnval")


@method(PropertyCollector, "ContinueRetrievePropertiesEx")
def continue_retrieve_properties_ex(call: Call, token: str) -> Any:
    """Return the next page. Objects that are gone by now are left out."""
    found = call.simulator.pages.pop(_key(call, token), None)
    if found is None:
        raise _invalid("token")
    left, size = found
    return _page(call, left, size) or make(PropertyCollector.RetrieveResult)


@method(PropertyCollector, "CancelRetrievePropertiesEx")
def cancel_retrieve_properties_ex(call: Call, token: str) -> None:
    """Forget the pages that were not fetched."""
    if call.simulator.pages.pop(_key(call, token), None) is None:
        raise _invalid("token")


def _selected(call: Call, spec_set: list[Any]) -> _Left:
    selections = [Selection(spec, call.version, call.session) for spec in spec_set]
    return [(selection, moid) for selection in selections for moid in selection.objects(call.database)]


def _page(call: Call, selected: _Left, size: int | None) -> Any:
    """Return a page; None if there are no objects at all."""
    objects = _contents(call, selected[:size], "objects")
    left = [] if size is None else selected[size:]
    token = None
    if left:
        token = str(uuid.uuid4())
        call.simulator.pages[_key(call, token)] = (left, size)
    if not objects and token is None:
        return None
    return make(PropertyCollector.RetrieveResult, token=token, objects=objects)


def _contents(call: Call, selected: _Left, tag: str) -> list[Any]:
    """Return the objects that are still there."""
    found = []
    for selection, moid in selected:
        subject = call.database.find(moid)
        if subject is not None:
            spec = selection.properties(subject)
            found.append(content(subject, spec, call.wire, call.session, tag))
    return found


def _key(call: Call, token: str) -> tuple[str, str, str]:
    """Return what a page is found by: no other session, and no other collector, can continue it."""
    return "" if call.session is None else call.session.key, call.target.id, token
