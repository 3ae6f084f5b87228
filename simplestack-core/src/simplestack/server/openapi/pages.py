"""The pages outside the base path: what the service is, its plugins, its health, this document."""

from typing import Any

from simplestack import errors
from simplestack.server.meta import HealthReport, PluginDetails, ServiceSummary
from simplestack.server.openapi.failures import page_failures
from simplestack.server.openapi.schemas import Schema, Schemas

TAG = {"name": "service", "description": "What the service itself is."}
#: What the pages answer with.
KINDS = (ServiceSummary, PluginDetails, HealthReport)

_HYPERVISOR = {"$ref": "#/components/parameters/hypervisor"}
_ONLY_HYPERVISOR = {
    "name": "hypervisor",
    "in": "query",
    "description": "The hypervisor whose own document is wanted: its operations, bodies and answers alone.",
    "schema": {"type": "string"},
}


def paths(schemas: Schemas, security: list[dict[str, list[str]]]) -> dict[str, Any]:
    """Return the path items of the pages.

    :param security: what they ask for; the health report asks for nothing
    """
    document = {"type": "object", "required": ["openapi", "info", "paths", "components"]}
    by_path = {
        "/": _page("service_info", "Show what this server is, and its plugins.", schemas.of(ServiceSummary)),
        "/{hypervisor}": _page(
            "plugin_info",
            "Show one hypervisor plugin, and which operations it implements.",
            schemas.of(PluginDetails),
            _HYPERVISOR,
        ),
        "/healthz": _page("health_info", "Show that a worker answers.", schemas.of(HealthReport)),
        "/openapi.json": _page("document_info", "Get this document.", document, _ONLY_HYPERVISOR),
    }
    for path, page in by_path.items():
        is_open = path == "/healthz"
        page["security"] = [] if is_open else security
        page["responses"] |= page_failures(
            [
                errors.InvalidArguments,
                *([errors.Unauthorized] if security and not is_open else []),
                *([errors.HypervisorNotFound] if page["parameters"] else []),
            ]
        )
    by_path["/openapi.json"]["responses"]["304"] = {"description": "The client has it already."}
    return {path: {"get": page} for path, page in by_path.items()}


def _page(name: str, summary: str, answer: Schema, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": [TAG["name"]],
        "summary": summary,
        "parameters": list(parameters),
        "responses": {
            "200": {
                "description": "Done.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
                "content": {"application/json": {"schema": answer}},
            }
        },
    }
