"""The common interface of the clients for Stack and for HTTP, so that each test is written once."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from simplestack.conformance.entities import check_result
from simplestack.conformance.error_responses import NOT_IMPLEMENTED, ErrorResponse
from simplestack.conformance.marks import ROWS
from simplestack.operations.model import Operation

T = TypeVar("T")

_MAKERS = ("guest_create", "guest_clone", "guest_import", "storage_guest_import")


class Upload(NamedTuple):
    """An image to import, and how."""

    file: Path
    storage_id: str | None
    #: Whether the size is not announced.
    is_chunked: bool
    #: The query parameters by name, with values as in JSON. Empty for a request without a query.
    description: dict[str, Any]


class Client(ABC):
    """Performs operations by name. Results are decoded JSON: dicts, lists and strings.

    Each result is checked: its fields, their types, IDs, units and times.
    """

    #: ``stack`` or ``http``.
    way: str

    def __init__(self, made: Callable[[str], object]) -> None:
        """Create a client.

        :param made: called with the ID of each new guest
        """
        self._made = made

    def do(self, operation: str, *ids: str, body: Any = None) -> Any:
        """Perform an operation.

        :param ids: the IDs in its path, in order
        :param body: the JSON body
        :raises ErrorResponse: the operation failed
        """
        row = ROWS[operation]
        return self._checked(row, self.perform(row, path_ids(row, ids), body))

    def load(
        self,
        file: Path,
        storage_id: str | None = None,
        *,
        chunked: bool = False,
        description: Mapping[str, Any] | None = None,
    ) -> Any:
        """Import a guest from a file, and return it.

        :param chunked: do not announce the size
        :param description: the query parameters by name, with values as in JSON
        """
        row = ROWS["guest_import" if storage_id is None else "storage_guest_import"]
        upload = Upload(file, storage_id, chunked, dict(description or {}))
        return self._checked(row, self.perform_import(row, upload))

    def rejected(
        self, name: str | tuple[str, ...], operation: str, *ids: str, body: Any = None
    ) -> ErrorResponse:
        """Perform an operation that must fail, and return the error.

        :param name: name of the expected error, or several accepted names
        """
        names = (name,) if isinstance(name, str) else name
        expected = " or ".join(names)
        error = self.outcome(lambda: self.do(operation, *ids, body=body))
        assert isinstance(error, ErrorResponse), (
            f"{operation} {ids} {body or ''} must fail with {expected}; it returned {error}"
        )
        assert error.name in names, f"{error}; expected {expected}"
        assert error.message, f"{error.name} of {operation} has no message"
        return error

    @staticmethod
    def outcome(attempt: Callable[[], T]) -> T | ErrorResponse:
        """Call an operation that may fail, and return the result or the error.

        :raises ErrorResponse: the plugin does not implement the operation
        """
        try:
            return attempt()
        except ErrorResponse as error:
            if error.name == NOT_IMPLEMENTED:
                raise
            return error

    def unknown(self, entity: str, operation: str, *ids: str, body: Any = None) -> None:
        """Perform an operation on an entity that does not exist, and check the error."""
        error = self.rejected("EntityNotFound", operation, *ids, body=body)
        assert re.match(rf"{entity}:.+ not found(: .+)?\Z", error.message), (
            f"{operation} of an unknown {entity} says {error.message!r}; expected '{entity}:ID not found'"
        )

    @abstractmethod
    def perform(self, row: Operation, ids: dict[str, str], body: Any) -> Any:
        """Perform an operation and return its result as decoded JSON.

        :raises ErrorResponse: the operation failed
        """

    @abstractmethod
    def perform_import(self, row: Operation, upload: Upload) -> Any:
        """Import a file.

        :raises ErrorResponse: the import failed
        """

    @abstractmethod
    def export(self, guest_id: str, file: Path) -> int:
        """Export a guest to a file, and return the number of bytes.

        :raises ErrorResponse: the export failed
        """

    @abstractmethod
    def with_password(self, password: str) -> "Client":
        """Return a client for the same user with another password."""

    @abstractmethod
    def busy_sessions(self) -> int:
        """Return the number of sessions with hypervisors that are in use."""

    def _checked(self, row: Operation, result: Any) -> Any:
        if row.name in _MAKERS and isinstance(result, dict) and isinstance(result.get("id"), str):
            self._made(result["id"])
        check_result(row, result)
        return result


def path_ids(row: Operation, ids: tuple[str, ...]) -> dict[str, str]:
    """Return the IDs of an operation's path by name."""
    return dict(zip(re.findall(r"{(\w+)}", row.path), ids, strict=True))
