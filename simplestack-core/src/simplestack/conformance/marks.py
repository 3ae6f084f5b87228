"""Mark tests with the operations that they perform, for skips, the table of results and the coverage."""

import pytest

from simplestack.operations.model import Operation
from simplestack.operations.table import HOOKS, OPERATIONS

MARKER = "simplestack_drives"
ROWS = {operation.name: operation for operation in OPERATIONS}


def drives(*names: str) -> pytest.MarkDecorator:
    """Mark a test with the hooks or operations that it performs.

    :raises ValueError: no hook or operation has this name
    """
    for name in names:
        hooks_of(name)
    mark: pytest.MarkDecorator = getattr(pytest.mark, MARKER)
    return mark(*names)


def hooks_of(name: str) -> tuple[str, ...]:
    """Return the hooks of an operation, or the hook itself.

    :raises ValueError: no hook or operation has this name
    """
    if name in HOOKS:
        return (name,)
    if name in ROWS:
        return ROWS[name].hooks
    raise ValueError(f"{name!r} is neither an operation nor a hook")


def operations_of(name: str) -> list[Operation]:
    """Return the operation of this name, or the operations that call the hook of this name."""
    if name in ROWS:
        return [ROWS[name]]
    return [operation for operation in OPERATIONS if name in operation.hooks]
