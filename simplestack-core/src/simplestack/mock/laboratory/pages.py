"""The test API: ``/_mock/{world}`` and what is below. A hypervisor's name cannot begin with an underscore."""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import unquote

import falcon
from msgspec import Meta, Struct

from simplestack import EntityNotFound
from simplestack.mock.laboratory.interference import Dropped
from simplestack.mock.laboratory.laboratory import Laboratory
from simplestack.mock.laboratory.rules import Report, Rule
from simplestack.mock.settings import MockSettings
from simplestack.server.bodies import read_json
from simplestack.server.json_text import json_text
from simplestack.server.queries import read_query
from simplestack.server.request_id import HEADER, request_id

_PREFIX = "/_mock/{world}"
_MAX_BODY_BYTES = 64 * 1024


class World(Struct, frozen=True, kw_only=True):
    """A world as the laboratory sees it."""

    world: str
    #: How many there are, without templates.
    guests: int
    rules: list[Report]
    #: How often each hook was called since the world was made.
    calls: dict[str, int]


class Crowd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Guests to add."""

    count: Annotated[int, Meta(ge=1, le=100_000)]


class Population(Struct, frozen=True, kw_only=True):
    """How many guests there are now."""

    guests: int


def add_pages(
    app: falcon.App[Any, Any], settings: MockSettings, admit: Callable[[falcon.Request], Any]
) -> None:
    """Add the test API to the service.

    :param admit: raises Unauthorized for a client that the service does not serve
    """
    app.add_error_handler(Dropped, _drop)
    app.add_route(_PREFIX, _World(settings, admit))
    app.add_route(f"{_PREFIX}/guests", _Guests(settings, admit))
    app.add_route(f"{_PREFIX}/rules", _Rules(settings, admit))
    app.add_route(f"{_PREFIX}/rules/{{rule_id}}", _Rule(settings, admit))


def _drop(
    _request: falcon.Request, _response: falcon.Response, error: Dropped, _parameters: dict[str, Any]
) -> None:
    """Let the error reach the server, which closes the connection without an answer."""
    raise error


class _Resource:
    def __init__(self, settings: MockSettings, admit: Callable[[falcon.Request], Any]) -> None:
        self._settings = settings
        self._admit = admit

    def _laboratory(self, request: falcon.Request, response: falcon.Response, world: str) -> Laboratory:
        response.set_header(HEADER, request_id(request))
        self._admit(request)
        read_query(request)
        return Laboratory(unquote(world), self._settings)


class _World(_Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response, world: str) -> None:
        """Show the world: how many guests, which rules, which calls."""
        laboratory = self._laboratory(request, response, world)
        shown = World(
            world=unquote(world),
            guests=laboratory.guests(),
            rules=laboratory.rules(),
            calls=laboratory.calls(),
        )
        _answer(response, shown)

    def on_delete(self, request: falcon.Request, response: falcon.Response, world: str) -> None:
        """Make the world as new."""
        self._laboratory(request, response, world).reset()
        response.status = falcon.HTTP_204


class _Guests(_Resource):
    def on_post(self, request: falcon.Request, response: falcon.Response, world: str) -> None:
        """Add guests."""
        laboratory = self._laboratory(request, response, world)
        crowd = read_json(request, Crowd, required=True, max_bytes=_MAX_BODY_BYTES)
        response.status = falcon.HTTP_201
        _answer(response, Population(guests=laboratory.add_guests(crowd.count)))


class _Rules(_Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response, world: str) -> None:
        """List the rules."""
        _answer(response, self._laboratory(request, response, world).rules())

    def on_post(self, request: falcon.Request, response: falcon.Response, world: str) -> None:
        """Set a rule."""
        laboratory = self._laboratory(request, response, world)
        report = laboratory.add_rule(read_json(request, Rule, required=True, max_bytes=_MAX_BODY_BYTES))
        response.status = falcon.HTTP_201
        response.set_header("Location", f"/_mock/{world}/rules/{report.id}")
        _answer(response, report)

    def on_delete(self, request: falcon.Request, response: falcon.Response, world: str) -> None:
        """Remove all rules."""
        self._laboratory(request, response, world).remove_rules()
        response.status = falcon.HTTP_204


class _Rule(_Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response, world: str, rule_id: str) -> None:
        """Show one rule, and to how many calls it happened."""
        for report in self._laboratory(request, response, world).rules():
            if str(report.id) == rule_id:
                _answer(response, report)
                return
        raise EntityNotFound("Rule", rule_id)

    def on_delete(self, request: falcon.Request, response: falcon.Response, world: str, rule_id: str) -> None:
        """Remove one rule."""
        laboratory = self._laboratory(request, response, world)
        if not rule_id.isdecimal() or len(rule_id) > 18:  # SQLite's integers have 63 bits
            raise EntityNotFound("Rule", rule_id[:100])
        laboratory.remove_rule(int(rule_id))
        response.status = falcon.HTTP_204


def _answer(response: falcon.Response, content: Any) -> None:
    response.content_type = falcon.MEDIA_JSON
    response.data = json_text(content)
