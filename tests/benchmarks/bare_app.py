"""The yardstick of rest_layer.py: Falcon with one static JSON route and nothing else."""

from typing import Any

import falcon
from msgspec import json

GUEST = {
    "id": "5a3f6f4e-3f0e-4a57-9a0c-0d1f7a1c2b3d",
    "name": "web-1",
    "cpus": 2,
    "memory": 2048,
    "hdd": 20,
    "paravirtualized": True,
    "tools_up_to_date": True,
    "ip": "10.0.0.7",
    "state": "STARTED",
    "host": "host-1",
}
BODY = json.encode(GUEST)


class Static:
    """Answers with the same bytes each time."""

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Answer."""
        response.content_type = falcon.MEDIA_JSON
        response.data = BODY


app: falcon.App[Any, Any] = falcon.App()
app.add_route("/guest", Static())
