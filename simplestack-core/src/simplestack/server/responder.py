"""The responder of all operations: read the request, make the call, write the response."""

import codecs
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import falcon
from msgspec import Struct

from simplestack.dispatch.call import Call, make_call
from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.dispatch.streams import WatchedChunks
from simplestack.dispatch.warnings import current_warnings
from simplestack.entities.call_context import CallContext
from simplestack.entities.texts import check_text
from simplestack.entities.transfer import Export
from simplestack.errors import EntityNotFound, InvalidArguments
from simplestack.hookspecs import SPEC_PARAMETERS
from simplestack.operations.model import JsonBody, Operation, StreamBody
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.plugins.plugin_types import entity_of
from simplestack.server.authentication import ServiceTokens, read_credentials
from simplestack.server.bodies import (
    SNIFF_BYTES,
    discard_body,
    is_labelled_json,
    looks_like_image,
    read_json,
    upload_of,
)
from simplestack.server.client_address import client_address
from simplestack.server.fields import parse_fields, trimmed
from simplestack.server.inventory import HostInventory
from simplestack.server.json_text import json_text
from simplestack.server.metrics.environ import OPERATION, PLACE
from simplestack.server.missing_entities import explain
from simplestack.server.queries import decode_query, list_fields, read_repeatable_query
from simplestack.server.request_id import HEADER, request_id
from simplestack.server.warning_header import WARNING_HEADER, warning_header
from simplestack.sessions.targets import parse_target


@dataclass(frozen=True, slots=True)
class Service:
    """What all responders use."""

    dispatcher: Dispatcher
    tokens: ServiceTokens
    max_json_bytes: int


class Responder:
    """Serves one method of a path. ``POST /guests`` has two operations: JSON creates, an image imports."""

    def __init__(self, service: Service, operations: tuple[Operation, ...]) -> None:
        self._service = service
        self._operations = operations

    def __call__(self, request: falcon.Request, response: falcon.Response, **segments: str) -> None:
        """Write the response. The error handlers write error responses."""
        response.set_header(HEADER, request_id(request))
        request.env[OPERATION] = self._operations[0].name
        asked = self._read_head(request, segments)
        operation = asked.operation
        request.env[OPERATION], request.env[PLACE] = operation.name, asked.call.key.place
        query = _read_query(request, operation)
        description = _description(operation, query)
        body = self._read_body(request, asked)
        hook, arguments = operation.call(asked.ids, body)
        if isinstance(operation.body, StreamBody):
            hook = operation.hooks[0]
            arguments = {"storage_id": None, **arguments, **description, "stream": body, "size": body.size}
        # Empty if the plugin lacks the hook; then the call raises the error.
        known_fields = asked.hypervisor.fields.get(hook, frozenset())
        asked_fields = query.get("fields")
        fields = parse_fields(asked_fields[0], known_fields) if asked_fields and known_fields else None
        if "fields" in SPEC_PARAMETERS[hook]:
            arguments["fields"] = known_fields if fields is None else fields
        request.env["simplestack.audited"] = True
        warnings: list[str] = []
        token = current_warnings.set(warnings)
        try:
            result = self._service.dispatcher.call(asked.call, hook, arguments)
        except EntityNotFound as error:
            sent = body if isinstance(body, Struct) else description.get("description")
            inventory = HostInventory(
                self._service.dispatcher, asked.hypervisor, asked.call, asked.ids, asked.base
            )
            explain(error, asked.ids, sent, inventory)
            raise
        finally:
            current_warnings.reset(token)
        if warnings:
            response.set_header(WARNING_HEADER, warning_header(warnings))
        if operation.response is not None:
            result = operation.response(body)
        _write(response, asked, body, result, fields)

    def _read_head(self, request: falcon.Request, segments: dict[str, str]) -> "_Request":
        """Read the path and the credentials."""
        client = self._service.tokens.holder(request)
        credentials = read_credentials(request)
        base = f"/{segments['hypervisor']}/{segments['host']}"
        hypervisor = self._service.dispatcher.hypervisor(segments.pop("hypervisor"))
        target = parse_target(_decoded(segments.pop("host")))
        ids = {name: _decoded(value) for name, value in segments.items()}
        operation = self._operations[0] if len(self._operations) == 1 else self._sniffed(request)
        context = CallContext(
            hypervisor=hypervisor.name,
            host=str(target),
            user=credentials.username,
            request_id=request_id(request),
            client=client,
            client_address=client_address(request.env),
        )
        call = make_call(context, target, credentials)
        if request.method == "HEAD" and operation.result is Export and hypervisor.implements(operation.name):
            operation = _EXISTENCE_OF_GUEST
        return _Request(operation, hypervisor, call, ids, base)

    def _read_body(self, request: falcon.Request, asked: "_Request") -> Any:
        max_bytes = self._service.max_json_bytes
        match asked.operation.body:
            case JsonBody() as body:
                kind = asked.hypervisor.bodies.get(asked.operation.name, body.type)
                return read_json(request, kind, required=body.required, max_bytes=max_bytes)
            case StreamBody():
                upload = upload_of(request)
                if upload.is_empty:
                    raise InvalidArguments("the body is empty: send an image")
                return upload
            case None:
                discard_body(request, max_bytes)
                return None

    def _sniffed(self, request: falcon.Request) -> Operation:
        """Choose create or import by the body's first bytes: first-generation clients label both as JSON."""
        head = upload_of(request).peek(SNIFF_BYTES)
        is_raw = request.content_type == "application/octet-stream"
        looks_like_json = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{" and not is_raw
        is_json = not looks_like_image(head) and (is_labelled_json(request) or looks_like_json)
        wanted = JsonBody if is_json or not head else StreamBody
        return next(operation for operation in self._operations if isinstance(operation.body, wanted))


class _Request(NamedTuple):
    """A request whose path and credentials have been read."""

    operation: Operation
    hypervisor: Hypervisor
    call: Call
    ids: dict[str, str]
    #: ``/hypervisor/host`` as the client wrote it.
    base: str


#: HEAD of an export must not start an export.
_EXISTENCE_OF_GUEST = Operation(name="guest_info", method="HEAD", path="", result=Export)


def _read_query(request: falcon.Request, operation: Operation) -> dict[str, list[str]]:
    known = ("fields",) if entity_of(operation.result) is not None else ()
    if not isinstance(operation.body, StreamBody):
        return read_repeatable_query(request, *known, what=operation.name)
    kind = operation.body.query
    known = (*known, *kind.__struct_fields__)
    return read_repeatable_query(request, *known, what=operation.name, repeatable=list_fields(kind))


def _description(operation: Operation, query: dict[str, list[str]]) -> dict[str, Any]:
    """Return the hook's argument for the query; it is None if the query does not describe a guest."""
    if not isinstance(operation.body, StreamBody):
        return {}
    kind = operation.body.query
    is_given = not query.keys().isdisjoint(kind.__struct_fields__)
    return {operation.body.argument: decode_query(query, kind) if is_given else None}


def _decoded(segment: str) -> str:
    """Decode a segment of the path."""
    try:
        text = unquote(segment, errors="strict") if "%" in segment else segment
    except UnicodeDecodeError:
        raise InvalidArguments(f"{segment[:100]!r} in the path is not percent-encoded UTF-8") from None
    check_text(text, f"{segment[:100]!r} in the path")
    return text


def _write(
    response: falcon.Response, asked: _Request, body: Any, result: Any, fields: frozenset[str] | None
) -> None:
    operation = asked.operation
    response.status = operation.status
    if isinstance(result, Export):
        chunks = result.chunks
        if isinstance(chunks, WatchedChunks):
            chunks.prefetch()
        response.content_type = "application/octet-stream"
        response.stream = chunks
        response.content_length = result.size
        return
    if operation is _EXISTENCE_OF_GUEST:
        response.content_type = "application/octet-stream"
        return
    if operation.location is not None:
        response.set_header("Location", _location(asked, body, result))
    if operation.result is None and operation.response is None:
        return
    response.content_type = falcon.MEDIA_JSON
    response.data = json_text(result if fields is None else trimmed(result, fields))


def _location(asked: _Request, body: Any, result: Any) -> str:
    made = {"name": body.name} if isinstance(result, list) else {"id": result.id}
    parts = {name: quote(value, safe=":") for name, value in (asked.ids | made).items()}
    return asked.base + (asked.operation.location or "").format_map(parts)
