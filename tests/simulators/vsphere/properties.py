"""The properties of an object, as ``PropertyCollector`` returns them."""

from typing import Any

from pyVmomi import vim, vmodl

from simulators.vsphere.data import make
from simulators.vsphere.database import Object
from simulators.vsphere.messages import message_of
from simulators.vsphere.paths import resolve, steps
from simulators.vsphere.schema import fields, fields_by_name
from simulators.vsphere.sessions import Session, check
from simulators.vsphere.versions import includes
from simulators.vsphere.wires import Wire

_READ = "System.Read"
PropertyCollector = vmodl.query.PropertyCollector


def paths_of(spec: Any, subject: Object, version: str) -> list[str]:
    """Return the paths that a ``PropertySpec`` names."""
    if spec.all:
        return [field.name for field in fields(subject.kind) if includes(version, field.version)]
    return list(dict.fromkeys(spec.pathSet))


def read(
    subject: Object, paths: list[str], wire: Wire, session: Session | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of an object's properties by path, and the faults of those that cannot be read.

    Properties that are unset are in neither.

    :raises NotAuthenticated: there is no session, and a property needs one
    """
    values: dict[str, Any] = {}
    faults: dict[str, Any] = {}
    subject.memo = {}
    try:
        for path in paths:
            try:
                value = _written(subject, path, wire, session)
            except vim.fault.NotAuthenticated:
                raise
            except vmodl.MethodFault as fault:
                fault.msg = message_of(fault)
                faults[path] = fault
            else:
                if value is not None:
                    values[path] = value
    finally:
        subject.memo = None
    return values, faults


def content(subject: Object, spec: Any, wire: Wire, session: Session | None, tag: str) -> Any:
    """Return an object's ``ObjectContent`` as an element, which is kept until the object changes.

    :param tag: the element's name
    """
    paths = paths_of(spec, subject, wire.version)
    privileges = None if session is None else session.account.privileges_on(subject.id)
    key = (wire.name, tag, wire.version, session is None, privileges, *paths)
    known = subject.written.get(key)
    if known is not None:
        return known
    values, faults = read(subject, paths, wire, session)
    found = make(
        PropertyCollector.ObjectContent,
        obj=subject.ref,
        propSet=[make(vmodl.DynamicProperty, name=path, val=value) for path, value in values.items()],
        missingSet=missing(faults),
    )
    written = wire.object(tag, found)
    if all(subject.is_cacheable(steps(path)[0]) for path in paths):
        subject.written[key] = written
    return written


def fetch(subject: Object, name: str, wire: Wire, session: Session | None) -> Any:
    """Return one property as the result of reading it; None if it is unset.

    :raises InvalidRequest: the object has no such property
    :raises NoPermission: the caller may not read it
    """
    field = fields_by_name(subject.kind).get(name)
    if field is None or not includes(wire.version, field.version):
        raise vmodl.fault.InvalidRequest(msg=f'Property "{name}" is unknown')
    check(session, field.privilege or _READ, subject.ref)
    value = subject[name]
    return None if value is None else wire.single(field, value)


def missing(faults: dict[str, Any]) -> list[Any]:
    """Return a ``missingSet``."""
    return [make(PropertyCollector.MissingProperty, path=path, fault=fault) for path, fault in faults.items()]


def _written(subject: Object, path: str, wire: Wire, session: Session | None) -> Any:
    root = steps(path)[0]
    check(session, fields_by_name(subject.kind)[root].privilege or _READ, subject.ref)
    field = resolve(subject.kind, path, wire.version)
    value = subject[path]
    return None if value is None else wire.property(field, value)
