"""Marks on objects that an operation is creating: lookups by name and the removal of leftovers know them.

A mark is a key of ``other_config``, with a number of the operation's own. XAPI copies ``other_config`` when
it clones a VM or a disk image. So a mark on the original is on the copy from its first moment, and tells by
the original's UUID that it is not the original's.
"""

import contextlib
import datetime as dt
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from simplestack_xen.xapi.records import VdiRecord, VmRecord

PREFIX = "simplestack:making:"


class Mark(Struct, frozen=True, kw_only=True):
    """What a mark says."""

    #: When the operation began, RFC 3339, UTC.
    since: Annotated[dt.datetime, Meta(tz=True)]
    #: UUID of the object that is copied; empty for an object that is no copy.
    source: str = ""
    #: Name of the object that the operation creates.
    name: str
    #: Whether a disk image was given to a VM, or is about to be. Then somebody may have used it since.
    is_attached: bool = False

    def is_of(self, record: VmRecord | VdiRecord) -> bool:
        """Return whether the mark means this object: not the original, nor what somebody has renamed."""
        return self.source != record.uuid and self.name == record.name_label


def marks_in(other_config: Mapping[str, str]) -> dict[str, Mark]:
    """Return the marks of an object by key. What cannot be read is none."""
    marks = {}
    for key, value in other_config.items():
        if key.startswith(PREFIX):
            with contextlib.suppress(msgspec.DecodeError):
                marks[key] = msgspec.json.decode(value, type=Mark)
    return marks


def is_unfinished(record: VmRecord | VdiRecord) -> bool:
    """Return whether an operation is creating an object, or was ended while it did."""
    return any(mark.is_of(record) for mark in marks_in(record.other_config).values())
