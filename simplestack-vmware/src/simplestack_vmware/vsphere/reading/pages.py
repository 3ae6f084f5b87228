"""Pages of records that a read returns."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.reading.schemas import Property, Record, Schema

_log = logging.getLogger(__name__)

#: vSphere's fault for an object that was removed while it was read.
_GONE = "ManagedObjectNotFound"


class Page:
    """The records in one response."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        #: Asks for the next page; empty on the last one.
        self.token = ""

    def add_at_once(
        self, ref: Ref, schema: Schema[Any], values: Mapping[str, Any], missing: Mapping[str, str]
    ) -> None:
        """Add the record of an object as `add`, in half the time if SOAP's values are as they should be."""
        lacks = frozenset(missing)
        try:
            found = msgspec.convert({**values, "ref": ref, "lacks": lacks}, schema.kind, strict=False)
        except msgspec.ValidationError:
            self.add(ref, schema, values, missing)
            return
        if _GONE not in missing.values():
            self.records.append(found)

    def add(
        self,
        ref: Ref,
        schema: Schema[Any],
        values: Mapping[str, Any],
        missing: Mapping[str, str],
        decode: Callable[[Property, Any], Any] = Property.from_soap,
    ) -> None:
        """Add the record of an object, unless the object was removed meanwhile.

        :param values: values by property path, not decoded yet
        :param missing: names of the faults of properties that cannot be read, by path
        """
        if _GONE in missing.values():
            return
        fields = {}
        for path, value in values.items():
            found = schema.properties.get(path)
            if found is None:
                continue
            try:
                fields[found.name] = decode(found, value)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                _log.warning("%s of a %s is not what this version expects: %s", path, ref.type, error)
        self.records.append(schema.kind(ref=ref, lacks=frozenset(missing), **fields))
