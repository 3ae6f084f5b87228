"""``GET /openapi.json`` and ``GET /docs``: the API reference for programs and for people."""

import gzip
import hashlib
import threading
from functools import cache
from importlib.resources import files

import falcon

from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.server.authentication import ServiceTokens
from simplestack.server.json_text import json_text
from simplestack.server.queries import read_query
from simplestack.server.request_id import HEADER, request_id

_CSS = "text/css; charset=utf-8"
_JAVASCRIPT = "text/javascript; charset=utf-8"
_PAGE = "reference.html"
#: The files that the page loads, by name in its folder, with their content types.
_ASSETS = {
    "favicon.svg": "image/svg+xml",
    "reference.css": _CSS,
    "reference.js": _JAVASCRIPT,
    "swagger-ui/swagger-ui.css": _CSS,
    "swagger-ui/swagger-ui-bundle.js": _JAVASCRIPT,
}
#: Their places, by their names in URLs.
_PLACES = {place.rpartition("/")[2]: place for place in _ASSETS}
#: Maximum number of cached documents, one for each hypervisor and root path.
_MOST_DOCUMENTS = 64
#: Swagger UI sets styles in scripts and has icons in data URLs. Nothing is loaded from other servers.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Content:
    """The body of a response, and its ETag."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.etag = hashlib.sha256(data).hexdigest()[:32]


class OpenApiPage:
    """``GET /openapi.json``: the OpenAPI document, cached in each worker."""

    def __init__(
        self, dispatcher: Dispatcher, tokens: ServiceTokens, *, metrics_need_token: bool = True
    ) -> None:
        self._dispatcher = dispatcher
        self._tokens = tokens
        self._metrics_need_token = metrics_need_token
        self._made: dict[tuple[str | None, str], Content] = {}
        self._lock = threading.Lock()

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Send the document, or 304 if the client has it."""
        self._tokens.holder(request)
        word = read_query(request, "hypervisor").get("hypervisor")
        name = None if word is None else self._dispatcher.hypervisor(word).name
        with self._lock:
            key = name, request.root_path
            if key not in self._made:
                if len(self._made) >= _MOST_DOCUMENTS:  # a proxy can send any root path
                    self._made.clear()
                self._made[key] = self._make(*key)
            document = self._made[key]
        response.content_type = falcon.MEDIA_JSON
        _send(request, response, document)

    on_head = on_get

    def _make(self, name: str | None, base_url: str) -> Content:
        from simplestack.server.openapi import openapi_document  # noqa: PLC0415  few workers are ever asked for it

        registry = self._dispatcher.registry
        hypervisors = registry.plugins() if name is None else [registry.hypervisors[name]]
        document = openapi_document(
            hypervisors,
            base_url=base_url or "/",
            asks_for_service_token=self._tokens.are_asked_for,
            metrics_need_token=self._metrics_need_token,
        )
        return Content(json_text(document))


class ReferencePage:
    """``GET /docs``: Swagger UI. It loads all files from this service."""

    def on_get(self, request: falcon.Request, response: falcon.Response, asset: str | None = None) -> None:
        """Send the page, or one of its files."""
        # The page passes its query to `/openapi.json`.
        read_query(request, *(("hypervisor",) if asset is None else ()))
        if asset is None and request.env.get("RAW_URI", "").partition("?")[0].endswith("/"):
            # The links of the page are relative, so that proxies can add any prefix.
            response.set_header(HEADER, request_id(request))
            response.status = falcon.HTTP_308
            response.location = "../docs" + (f"?{request.query_string}" if request.query_string else "")
            return
        place = _PAGE if asset is None else _PLACES.get(asset)
        if place is None:
            raise falcon.HTTPNotFound
        is_packed = "gzip" in request.get_header("Accept-Encoding", default="")
        if is_packed:
            response.set_header("Content-Encoding", "gzip")
        response.set_headers(
            {
                "Vary": "Accept-Encoding",
                "Content-Security-Policy": _POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
            }
        )
        response.content_type = _ASSETS.get(place, falcon.MEDIA_HTML)
        _send(request, response, _file(place, is_packed=is_packed))

    on_head = on_get


@cache
def _file(place: str, *, is_packed: bool) -> Content:
    """Return a file of the page. It is cached, so slow clients share its memory."""
    data = (files("simplestack.server") / "reference" / place).read_bytes()
    return Content(gzip.compress(data, mtime=0) if is_packed else data)


def _send(request: falcon.Request, response: falcon.Response, content: Content) -> None:
    """Send the content, or 304 if the client has it."""
    response.set_header(HEADER, request_id(request))
    response.etag = content.etag
    response.set_header("Cache-Control", "no-cache")
    if request.if_none_match and content.etag in request.if_none_match:
        response.status = falcon.HTTP_304
        return
    response.data = content.data
