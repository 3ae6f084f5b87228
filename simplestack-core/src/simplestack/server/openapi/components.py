"""The components of the document: parameters, headers, security schemes, schemas."""

from collections.abc import Sequence
from typing import Any

from simplestack.entities.limits import PATH_NAME_PATTERN
from simplestack.entities.texts import MAX_ID_LENGTH
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.server.openapi.failures import ERROR_SCHEMA
from simplestack.server.openapi.schemas import Schemas, ecma_pattern

_HOST = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?)(:[0-9]{1,5})?$"


def components(
    hypervisors: Sequence[Hypervisor], schemas: Schemas, *, with_service_token: bool
) -> dict[str, Any]:
    """Return the document's components."""
    names = [hypervisor.name for hypervisor in hypervisors]
    return {
        "schemas": {
            **dict(sorted(schemas.components.items())),
            "Error": ERROR_SCHEMA,
            "Hypervisor": {
                "title": "Hypervisor",
                "description": "Name or alias of a hypervisor.",
                "type": "string",
                "enum": [
                    word
                    for hypervisor in hypervisors
                    for word in (hypervisor.name, *hypervisor.plugin.aliases)
                ],
            },
            "Id": {
                "title": "Id",
                "description": "The ID from a response, percent-encoded. `.` and `..` are not valid IDs.",
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
                "description": "Name or alias of the hypervisor.",
                "schema": {"$ref": "#/components/schemas/Hypervisor"},
                # The hypervisor that everybody can try, where it is installed.
                **({"example": "mock" if "mock" in names else names[0]} if names else {}),
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
                "description": "ID to find the request in the service's log: up to 128 of the characters "
                "`A-Za-z0-9._~+/=:-`. The service replaces any other value.",
                "schema": {"type": "string"},
            },
        },
        "headers": {
            "RequestId": {
                "description": "ID of this request in the service's log.",
                "required": True,
                "schema": {"type": "string"},
            },
            "Location": {
                "description": "Path of the created resource, without scheme and host.",
                "required": True,
                "schema": {"type": "string", "format": "uri-reference"},
            },
            "Warning": {
                "description": "What a successful operation could not do or find out. Percent-encoded UTF-8. "
                "Several warnings are separated by `; `.",
                "required": False,
                "schema": {"type": "string"},
            },
            "RetryAfter": {
                "description": "Number of seconds to wait before the next attempt.",
                "required": False,
                "schema": {"type": "integer", "minimum": 0},
            },
        },
        "securitySchemes": _security_schemes(with_service_token=with_service_token),
    }


def _security_schemes(*, with_service_token: bool) -> dict[str, Any]:
    schemes: dict[str, Any] = {
        "hypervisor_token": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Simplestack-Hypervisor-Token",
            "description": "Base64 of `user:password` for the hypervisor, as `simplestack token` prints it.",
        }
    }
    if with_service_token:
        schemes["service_token"] = {
            "type": "http",
            "scheme": "bearer",
            "description": "A token for this service, from its operator.",
        }
        schemes["first_generation_service_token"] = {
            "type": "apiKey",
            "in": "header",
            "name": "X-Simplestack-Token",
            "description": "The same token, in the header that first-generation clients send.",
        }
    return schemes
