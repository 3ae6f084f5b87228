"""The client for :class:`simplestack.Stack` in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from simplestack.conformance.client import Client, Upload
from simplestack.conformance.error_responses import ErrorResponse
from simplestack.conformance.options import Options
from simplestack.entities.guest import Guest, GuestImport
from simplestack.entities.plain import plain
from simplestack.entities.transfer import Export
from simplestack.errors import SimplestackError
from simplestack.operations.model import JsonBody, Operation
from simplestack.stack import Stack


class StackClient(Client):
    """Calls the methods of a `Stack`."""

    way = "stack"

    def __init__(self, options: Options, password: str, made: Callable[[str], object]) -> None:
        super().__init__(made)
        self._options = options
        self.stack = Stack(
            options.hypervisor, options.host, options.username, password, config=options.config
        )

    def perform(self, row: Operation, ids: dict[str, str], body: Any) -> Any:
        """Call the method of the operation."""
        struct = None
        if isinstance(row.body, JsonBody):
            kind = self.stack.hypervisor.bodies.get(row.name, row.body.type)
            struct = msgspec.convert({} if body is None else body, kind)
        hook, arguments = row.call(ids, struct)
        return msgspec.to_builtins(self._call(row, hook, arguments), enc_hook=plain)

    def perform_import(self, row: Operation, upload: Upload) -> Any:
        """Import from the file."""
        given = msgspec.convert(upload.description, GuestImport) if upload.description else None
        with upload.file.open("rb") as stream:
            size = None if upload.is_chunked else upload.file.stat().st_size
            arguments = {
                "stream": stream,
                "size": size,
                "storage_id": upload.storage_id,
                "description": given,
            }
            guest: Guest = self._call(row, "guest_import", arguments)
        return msgspec.to_builtins(guest, enc_hook=plain)

    def export(self, guest_id: str, file: Path) -> int:
        """Write the chunks to the file."""
        export = self._call_export(guest_id)
        written = 0
        with file.open("wb") as target:
            for chunk in export.chunks:
                written += target.write(chunk)
        assert export.size in (None, written), f"the export announced {export.size} bytes and had {written}"
        return written

    def with_password(self, password: str) -> Client:
        """Return a client with another Stack."""
        return StackClient(self._options, password, self._made)

    def busy_sessions(self) -> int:
        """Return the number from the pool of this process."""
        return self.stack.session_counts()["busy_sessions"]

    def _call_export(self, guest_id: str) -> Export:
        try:
            return self.stack.guest_export(guest_id)
        except SimplestackError as error:
            raise _error_response("guest_export", error) from error

    def _call(self, row: Operation, hook: str, arguments: dict[str, Any]) -> Any:
        try:
            return getattr(self.stack, hook)(**arguments)
        except SimplestackError as error:
            raise _error_response(row.name, error) from error


def _error_response(operation: str, error: SimplestackError) -> ErrorResponse:
    return ErrorResponse(operation, error.name, error.message, error.details)
