"""``GET /openapi.json`` and ``GET /docs``: the API reference for programs and for people."""

import hashlib
import importlib.util
import threading
from functools import cache
from importlib.resources import files
from pathlib import Path

import falcon

from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.errors import OperationNotSupported
from simplestack.server.authentication import ServiceTokens
from simplestack.server.json_text import json_text
from simplestack.server.queries import read_query
from simplestack.server.request_id import HEADER, request_id

#: Package with the files of Swagger UI. Its code for Flask is not used.
_ASSETS = "flask_swagger_ui"
#: Files of the page, with their content types.
_FILES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_OWN_FILES = {"reference.js": "text/javascript; charset=utf-8"}
#: Maximum number of cached documents, one for each hypervisor and root path.
_MOST_DOCUMENTS = 64
#: Swagger UI sets styles in scripts and has icons in data URLs. Nothing is loaded from other servers.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class OpenApiPage:
    """``GET /openapi.json``: the OpenAPI document, cached in each worker."""

    def __init__(
        self, dispatcher: Dispatcher, tokens: ServiceTokens, *, metrics_need_token: bool = True
    ) -> None:
        self._dispatcher = dispatcher
        self._tokens = tokens
        self._metrics_need_token = metrics_need_token
        self._made: dict[tuple[str | None, str], tuple[bytes, str]] = {}
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
            document, etag = self._made[key]
        response.set_header(HEADER, request_id(request))
        response.etag = etag
        response.set_header("Cache-Control", "no-cache")
        if request.if_none_match and etag in request.if_none_match:
            response.status = falcon.HTTP_304
            return
        response.content_type = falcon.MEDIA_JSON
        response.data = document

    on_head = on_get

    def _make(self, name: str | None, base_url: str) -> tuple[bytes, str]:
        from simplestack.server.openapi import openapi_document  # noqa: PLC0415  few workers are ever asked for it

        registry = self._dispatcher.registry
        hypervisors = registry.plugins() if name is None else [registry.hypervisors[name]]
        document = json_text(
            openapi_document(
                hypervisors,
                base_url=base_url or "/",
                asks_for_service_token=self._tokens.are_asked_for,
                metrics_need_token=self._metrics_need_token,
            )
        )
        return document, hashlib.sha256(document).hexdigest()[:32]


class ReferencePage:
    """``GET /docs``: Swagger UI. It loads all files from this service."""

    def on_get(self, request: falcon.Request, response: falcon.Response, asset: str | None = None) -> None:
        """Send the page, or one of its files."""
        # The page passes its query to `/openapi.json`.
        read_query(request, *(("hypervisor",) if asset is None else ()))
        name = asset or "reference.html"
        content_type = {**_FILES, **_OWN_FILES, "reference.html": falcon.MEDIA_HTML}.get(name)
        if content_type is None:
            raise falcon.HTTPNotFound
        response.data = _file(name)
        response.content_type = content_type
        response.set_headers(
            {
                HEADER: request_id(request),
                "Content-Security-Policy": _POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-cache",
            }
        )

    on_head = on_get


@cache
def _file(name: str) -> bytes:
    """Return a file. It is cached, so slow clients share its memory.

    :raises OperationNotSupported: Swagger UI is not installed
    """
    folder = _assets()
    if name in _FILES:
        return (folder / name).read_bytes()
    return (files("simplestack.server") / "reference" / name).read_bytes()


def _assets() -> Path:
    """Return the folder of Swagger UI's files.

    :raises OperationNotSupported: Swagger UI is not installed
    """
    spec = importlib.util.find_spec(_ASSETS)
    if spec is None or not spec.submodule_search_locations:
        raise OperationNotSupported(
            "the interactive reference is not installed: install it with "
            "`pip install 'simplestack-core[docs]'`, or use /openapi.json"
        )
    return Path(spec.submodule_search_locations[0], "dist")
