"""The paths outside the base path: service, plugins, health, this document."""

from typing import Any

from simplestack import errors
from simplestack.server.meta import HealthReport, PluginDetails, ServiceSummary
from simplestack.server.openapi.failures import page_failures, problem_failure
from simplestack.server.openapi.schemas import Schema, Schemas
from simplestack.server.problems import http_problem
from simplestack.server.readiness import ReadinessReport

TAG = {"name": "service", "description": "The service itself, its plugins and its health."}
#: Types of their responses.
KINDS = (ServiceSummary, PluginDetails, HealthReport, ReadinessReport)
#: Pages that need no service token.
_OPEN = ("/healthz", "/readyz")

_HYPERVISOR = {"$ref": "#/components/parameters/hypervisor"}
_ONLY_HYPERVISOR = {
    "name": "hypervisor",
    "in": "query",
    "description": "Name or alias of a hypervisor: the document has only its operations, with its own "
    "body and response types.",
    "schema": {"type": "string"},
}


def paths(
    schemas: Schemas, security: list[dict[str, list[str]]], *, metrics_need_token: bool
) -> dict[str, Any]:
    """Return the path items of the pages.

    :param security: the required tokens; health and readiness require none
    """
    without_token = _OPEN if metrics_need_token else (*_OPEN, "/metrics")
    document = {"type": "object", "required": ["openapi", "info", "paths", "components"]}
    by_path = {
        "/": _page(
            "service_info", "Show the versions of the service and its plugins.", schemas.of(ServiceSummary)
        ),
        "/{hypervisor}": _page(
            "plugin_info",
            "Show a hypervisor plugin and the operations that it implements.",
            schemas.of(PluginDetails),
            _HYPERVISOR,
        ),
        "/healthz": _page("health_info", "Check that the service responds.", schemas.of(HealthReport)),
        "/readyz": _page("readiness_info", "Check that requests can be sent.", schemas.of(ReadinessReport)),
        "/metrics": _page(
            "metrics_info",
            "Get metrics of the service for Prometheus.",
            {"type": "string"},
            media_type="text/plain",
        ),
        "/openapi.json": _page("document_info", "Get this document.", document, _ONLY_HYPERVISOR),
    }
    for path, page in by_path.items():
        is_open = path in without_token
        page["security"] = [] if is_open else security
        page["responses"] |= page_failures(
            [
                errors.InvalidArguments,
                *([errors.Unauthorized] if security and not is_open else []),
                *([errors.HypervisorNotFound] if page["parameters"] else []),
            ]
        )
    by_path["/readyz"]["responses"] |= problem_failure(503, *http_problem(503))
    by_path["/metrics"]["responses"] |= problem_failure(
        501, errors.OperationNotSupported.name, "the package prometheus-client is not installed"
    )
    by_path["/openapi.json"]["responses"]["304"] = {"description": "The document has not changed."}
    return {path: {"get": page} for path, page in by_path.items()}


def _page(
    name: str,
    summary: str,
    response: Schema,
    *parameters: dict[str, Any],
    media_type: str = "application/json",
) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": [TAG["name"]],
        "summary": summary,
        "parameters": list(parameters),
        "responses": {
            "200": {
                "description": "Success.",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
                "content": {media_type: {"schema": response}},
            }
        },
    }
