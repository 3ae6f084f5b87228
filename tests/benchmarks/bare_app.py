"""The yardstick of the REST layer: Falcon with static JSON routes and nothing else."""

import os
from pathlib import Path
from typing import Any

import falcon


class Static:
    """Answers with the same bytes each time."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Answer."""
        response.content_type = falcon.MEDIA_JSON
        response.data = self._body


app: falcon.App[Any, Any] = falcon.App()
app.add_route("/ready", Static(b"{}"))
for answer in Path(os.environ["BENCHMARK_ANSWERS"]).glob("*.json"):
    app.add_route(f"/{answer.stem}", Static(answer.read_bytes()))
