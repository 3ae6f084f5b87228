"""One client for both ways in, so that each test is written once."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from simplestack.conformance.entities import check_answer
from simplestack.conformance.marks import ROWS
from simplestack.conformance.refusals import NOT_IMPLEMENTED, Refusal
from simplestack.operations.model import Operation

T = TypeVar("T")

_MAKERS = ("guest_create", "guest_clone", "guest_import", "storage_guest_import")


class Client(ABC):
    """Performs operations of the table by name. Answers are what JSON says: dicts, lists, strings.

    Every answer is held against the contract: its members, their types, ids, units and times.
    """

    #: ``stack`` or ``http``.
    way: str

    def __init__(self, made: Callable[[str], object]) -> None:
        """Make a client.

        :param made: is told the id of each guest that comes into being
        """
        self._made = made

    def do(self, operation: str, *ids: str, body: Any = None) -> Any:
        """Perform an operation.

        :param ids: those of its path, in their order
        :param body: its JSON body
        :raises Refusal: it was refused
        """
        row = ROWS[operation]
        return self._checked(row, self.perform(row, path_ids(row, ids), body))

    def load(self, file: Path, storage_id: str | None = None, *, chunked: bool = False) -> Any:
        """Import a guest from a file, and return it.

        :param chunked: do not say beforehand how long it is
        """
        row = ROWS["guest_import" if storage_id is None else "storage_guest_import"]
        return self._checked(row, self.perform_import(row, file, storage_id, chunked=chunked))

    def refused(self, name: str | tuple[str, ...], operation: str, *ids: str, body: Any = None) -> Refusal:
        """Perform an operation that must be refused, and return the refusal.

        :param name: of the error, or several that would do
        """
        names = (name,) if isinstance(name, str) else name
        expected = " or ".join(names)
        answer = self.outcome(lambda: self.do(operation, *ids, body=body))
        assert isinstance(answer, Refusal), (
            f"{operation} {ids} {body or ''} must be refused with {expected}; it answered {answer}"
        )
        assert answer.name in names, f"{answer}; expected {expected}"
        assert answer.message, f"{answer.name} of {operation} has no message"
        return answer

    @staticmethod
    def outcome(attempt: Callable[[], T]) -> T | Refusal:
        """Try what may be refused, and return the answer or the refusal.

        :raises Refusal: the plugin does not implement it
        """
        try:
            return attempt()
        except Refusal as refusal:
            if refusal.name == NOT_IMPLEMENTED:
                raise
            return refusal

    def unknown(self, entity: str, operation: str, *ids: str, body: Any = None) -> None:
        """Perform an operation on something that is not there."""
        refusal = self.refused("EntityNotFound", operation, *ids, body=body)
        assert re.match(rf"{entity}:.+ not found\Z", refusal.message), (
            f"{operation} of an unknown {entity} says {refusal.message!r}; expected '{entity}:ID not found'"
        )

    @abstractmethod
    def perform(self, row: Operation, ids: dict[str, str], body: Any) -> Any:
        """Perform an operation and return its answer as JSON.

        :raises Refusal: it was refused
        """

    @abstractmethod
    def perform_import(self, row: Operation, file: Path, storage_id: str | None, *, chunked: bool) -> Any:
        """Send a file.

        :raises Refusal: it was refused
        """

    @abstractmethod
    def export(self, guest_id: str, file: Path) -> int:
        """Write a guest's export into a file, and return how many bytes there were.

        :raises Refusal: it was refused
        """

    @abstractmethod
    def with_password(self, password: str) -> "Client":
        """Return a client of the same user with another password."""

    @abstractmethod
    def busy_sessions(self) -> int:
        """Return how many sessions with hypervisors are in use."""

    def _checked(self, row: Operation, answer: Any) -> Any:
        if row.name in _MAKERS and isinstance(answer, dict) and isinstance(answer.get("id"), str):
            self._made(answer["id"])
        check_answer(row, answer)
        return answer


def path_ids(row: Operation, ids: tuple[str, ...]) -> dict[str, str]:
    """Name the ids of an operation's path."""
    return dict(zip(re.findall(r"{(\w+)}", row.path), ids, strict=True))
