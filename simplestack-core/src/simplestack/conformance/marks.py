"""Which operations a test drives. From that come what is skipped, the table at the end, and the coverage."""

import pytest

from simplestack.operations.model import Operation
from simplestack.operations.table import HOOKS, OPERATIONS

MARKER = "simplestack_drives"
ROWS = {operation.name: operation for operation in OPERATIONS}


def drives(*names: str) -> pytest.MarkDecorator:
    """Mark a test with what it drives: hooks, or operations of the table.

    :raises ValueError: there is no such hook or operation
    """
    for name in names:
        hooks_of(name)
    mark: pytest.MarkDecorator = getattr(pytest.mark, MARKER)
    return mark(*names)


def hooks_of(name: str) -> tuple[str, ...]:
    """Return the hooks that a test needs which drives this hook or operation.

    :raises ValueError: there is no such hook or operation
    """
    if name in HOOKS:
        return (name,)
    if name in ROWS:
        return ROWS[name].hooks
    raise ValueError(f"{name!r} is neither an operation nor a hook")


def operations_of(name: str) -> list[Operation]:
    """Return the operations that a name stands for: itself, or those that call this hook by another name."""
    if name in ROWS:
        return [ROWS[name]]
    return [operation for operation in OPERATIONS if name in operation.hooks]
