"""The pages of fault injection: ``/_fault_injection`` and below."""

from typing import Any

import falcon
from msgspec import Struct

from simplestack import EntityNotFound, Routes
from simplestack.fault_injection.fault import Dropped
from simplestack.fault_injection.file import Faults
from simplestack.fault_injection.rules import CallCount, Report, Rule
from simplestack.server.bodies import read_json
from simplestack.server.json_text import json_text
from simplestack.server.queries import read_query

_PREFIX = "/_fault_injection"
_MAX_BODY_BYTES = 64 * 1024


class Overview(Struct, frozen=True, kw_only=True):
    """Rules and counts of calls."""

    rules: list[Report]
    calls: list[CallCount]


def add_pages(app: Routes, faults: Faults) -> None:
    """Add the pages to the service."""
    app.add_error_handler(Dropped, _drop)
    app.add_route(_PREFIX, _Overview(faults))
    app.add_route(f"{_PREFIX}/rules", _Rules(faults))
    app.add_route(f"{_PREFIX}/rules/{{rule_id}}", _Rule(faults))


def _drop(
    _request: falcon.Request, _response: falcon.Response, error: Dropped, _parameters: dict[str, Any]
) -> None:
    """Let the error reach the server, which closes the connection without a response."""
    raise error


class _Overview:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Show the rules and how often each hook was called."""
        where = _where(request)
        _write(response, Overview(rules=self._faults.rules(**where), calls=self._faults.calls(**where)))

    def on_delete(self, request: falcon.Request, response: falcon.Response) -> None:
        """Remove rules, and reset the counts of calls."""
        where = _where(request)
        self._faults.remove_rules(**where)
        self._faults.forget_calls(**where)
        response.status = falcon.HTTP_204


class _Rules:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """List rules."""
        _write(response, self._faults.rules(**_where(request)))

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Add a rule."""
        read_query(request)
        report = self._faults.add(read_json(request, Rule, required=True, max_bytes=_MAX_BODY_BYTES))
        response.status = falcon.HTTP_201
        response.set_header("Location", f"{_PREFIX}/rules/{report.id}")
        _write(response, report)

    def on_delete(self, request: falcon.Request, response: falcon.Response) -> None:
        """Remove rules."""
        self._faults.remove_rules(**_where(request))
        response.status = falcon.HTTP_204


class _Rule:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def on_get(self, request: falcon.Request, response: falcon.Response, rule_id: str) -> None:
        """Show one rule and its counts."""
        read_query(request)
        for report in self._faults.rules():
            if str(report.id) == rule_id:
                _write(response, report)
                return
        raise EntityNotFound("Rule", rule_id[:100])

    def on_delete(self, request: falcon.Request, response: falcon.Response, rule_id: str) -> None:
        """Remove one rule. Calls that hang because of it continue."""
        read_query(request)
        if not rule_id.isdecimal() or len(rule_id) > 18:
            raise EntityNotFound("Rule", rule_id[:100])
        self._faults.remove(int(rule_id))
        response.status = falcon.HTTP_204


def _where(request: falcon.Request) -> dict[str, str]:
    """Return the hypervisor and the host that the query names."""
    return read_query(request, "hypervisor", "host")


def _write(response: falcon.Response, content: Any) -> None:
    response.content_type = falcon.MEDIA_JSON
    response.data = json_text(content)
