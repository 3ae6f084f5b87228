"""What the operations of the document share: parameters, headers, security schemes, schemas."""

from collections.abc import Sequence
from typing import Any

from simplestack.entities.limits import PATH_NAME_PATTERN
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.server.openapi.failures import ERROR_SCHEMA
from simplestack.server.openapi.schemas import Schemas, ecma_pattern
from simplestack.server.responder import MAX_ID_LENGTH

_HOST = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?)(:[0-9]{1,5})?$"


def components(
    hypervisors: Sequence[Hypervisor], schemas: Schemas, *, with_service_token: bool
) -> dict[str, Any]:
    """Return the document's components."""
    return {
        "schemas": {
            **dict(sorted(schemas.components.items())),
            "Error": ERROR_SCHEMA,
            "Id": {
                "title": "Id",
                "description": "Use it as responses show it, percent-encoded. `.` and `..` are never ids.",
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_ID_LENGTH,
                "pattern": ecma_pattern(PATH_NAME_PATTERN),
            },
        },
        "parameters": {
            "hypervisor": {
                "name": "hypervisor",
                "in": "path",
                "required": True,
                "description": "The hypervisor's name, or an alias of it.",
                "schema": {
                    "type": "string",
                    "enum": [word for found in hypervisors for word in (found.name, *found.plugin.aliases)],
                },
            },
            "host": {
                "name": "host",
                "in": "path",
                "required": True,
                "description": "The host to connect to, `name[:port]`: a DNS name, an IPv4 address, "
                "or an IPv6 address in brackets.",
                "schema": {"type": "string", "pattern": _HOST},
                "examples": {"name": {"value": "demo"}, "address": {"value": "10.0.0.1:443"}},
            },
            "request_id": {
                "name": "X-Request-Id",
                "in": "header",
                "required": False,
                "description": "Joins the request with the service's log. One of up to 128 characters out of "
                "`A-Za-z0-9._~+/=:-` is kept, any other is replaced.",
                "schema": {"type": "string"},
            },
        },
        "headers": {
            "RequestId": {
                "description": "The id under which the service's log has this request.",
                "required": True,
                "schema": {"type": "string"},
            },
            "Location": {
                "description": "Path of what was made.",
                "required": True,
                "schema": {"type": "string", "format": "uri-reference"},
            },
            "Warning": {
                "description": "What the operation left undone, or could not find out, although it "
                "succeeded. Percent-encoded UTF-8; several warnings have `; ` between them.",
                "required": False,
                "schema": {"type": "string"},
            },
            "RetryAfter": {
                "description": "Seconds after which the same request may succeed.",
                "required": False,
                "schema": {"type": "integer", "minimum": 0},
            },
        },
        "securitySchemes": _security_schemes(with_service_token=with_service_token),
    }


def _security_schemes(*, with_service_token: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "hypervisor_token": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Simplestack-Hypervisor-Token",
            "description": "Base64 of `user:password` for the hypervisor, as `simplestack token` prints it.",
        }
    }
    if with_service_token:
        found["service_token"] = {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of this service; its operator has them.",
        }
        found["first_generation_service_token"] = {
            "type": "apiKey",
            "in": "header",
            "name": "X-Simplestack-Token",
            "description": "The same token, where clients of the first Simplestack send it.",
        }
    return found
