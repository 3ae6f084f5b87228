"""Examples of operations, as each hypervisor's plugin brings them."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from simplestack.operations.table import OPERATIONS
from simplestack.plugins.hypervisor import Hypervisor


class Example(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to a hypervisor and its answer."""

    #: The arguments in the path, decoded.
    parameters: dict[str, str] = {}
    #: The JSON body; absent where there is none.
    request: Any | UnsetType = UNSET
    #: The JSON answer; absent where there is none.
    answer: Any | UnsetType = UNSET


_decode = msgspec.json.Decoder(dict[str, Example]).decode


def read_examples(hypervisor: Hypervisor) -> Mapping[str, Example]:
    """Return a plugin's examples by operation; none where it brings none.

    :raises ValueError: the plugin's file is wrong: the message names it and says how
    """
    path = hypervisor.plugin.examples
    if path is None:
        return {}
    try:
        found = _decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise ValueError(f"examples of {hypervisor.name}, {path}: {error}") from error
    unknown = sorted(found.keys() - {operation.name for operation in OPERATIONS})
    if unknown:
        raise ValueError(f"examples of {hypervisor.name}, {path}: there is no operation {unknown[0]!r}")
    return found
