"""Examples of operations, as a hypervisor's plugin brings them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from simplestack.operations.table import OPERATIONS
from simplestack.plugins.errors import PluginFault
from simplestack.suggestions import did_you_mean


class Example(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to a hypervisor and its response."""

    #: The arguments in the path, decoded.
    parameters: dict[str, str] = {}
    #: The JSON body; absent where there is none.
    request: Any | UnsetType = UNSET
    #: The JSON response; absent where there is none.
    response: Any | UnsetType = UNSET


_decode = msgspec.json.Decoder(dict[str, Example]).decode
_NAMES = frozenset(operation.name for operation in OPERATIONS)


def read_example_file(path: Path) -> Mapping[str, Example]:
    """Return the examples in a plugin's file by operation.

    :raises PluginFault: the file cannot be read, or is wrong: the message names it and says how
    """
    try:
        found = _decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise PluginFault(f"examples: {path} cannot be read: {error}") from error
    for name in sorted(found.keys() - _NAMES):
        raise PluginFault(f"examples: {path} has {name!r}, which is no operation{did_you_mean(name, _NAMES)}")
    return found
