"""Units of sizes in OVF descriptors."""

import re

from simplestack.appliances.xml_input import integer, invalid
from simplestack.entities.limits import GIB, MIB

#: ``byte * 2^20``, as DMTF's DSP0004 writes it.
_UNIT = re.compile(r"bytes?(?:\*(?:([0-9]{1,9})|(2|10)\^([0-9]{1,2})))?")
#: Words of older programs.
_WORDS = {
    "kilobytes": 1024,
    "kb": 1024,
    "megabytes": MIB,
    "mb": MIB,
    "gigabytes": GIB,
    "gb": GIB,
    "terabytes": 1024 * GIB,
}


def size_bytes(quantity: str, unit: str | None, what: str, highest_bytes: int) -> int:
    """Return a size in bytes.

    :param unit: None for bytes
    :param what: names the size for messages
    :raises InvalidArguments: the number or the unit is not valid, or the size is out of bounds
    """
    size = integer(quantity, what, 0, highest_bytes) * _unit_bytes(unit, what)
    if not 1 <= size <= highest_bytes:
        raise invalid(f"has {what} of {size} bytes: it must be from 1 to {highest_bytes}")
    return size


def _unit_bytes(unit: str | None, what: str) -> int:
    text = "".join((unit or "byte").lower().split())
    if text in _WORDS:
        return _WORDS[text]
    match = _UNIT.fullmatch(text)
    if match is None:
        raise invalid(f"has {what} in an unknown unit: {text[:80]!r}")
    factor, base, exponent = match.groups()
    return int(factor or 1) * (1 if base is None else int(base) ** int(exponent))
