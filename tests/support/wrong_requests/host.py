"""A host with guests that wrong requests are about."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from support.service import Service
from support.wrong_requests.model import MAC, WrongRequest


class WrongHost:
    """A host with guests that wrong requests are about.

    :param base: ``/hypervisor/host``
    :param words: by name in braces: IDs and names on this host
    """

    def __init__(self, service: Service, base: str, headers: Mapping[str, str]) -> None:
        self._service = service
        self._base = base
        self._headers = dict(headers)
        self.words = {"host": base}

    def send(self, method: str, path: str, body: Any = None, *, status: int | None = None) -> Any:
        """Send a request below the base path, and return the response."""
        response = self._service.request(method, self._base + path, body, headers=self._headers)
        assert status in (None, response.status), response
        return response

    def filled(self, value: Any) -> Any:
        """Return text, or a body, with this host's words."""
        if isinstance(value, dict):
            return {name: self.filled(its) for name, its in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if isinstance(value, str):
            for name, word in self.words.items():
                value = value.replace(f"{{{name}}}", word)
        return value

    def error_of(self, wrong: WrongRequest) -> tuple[int, str, str]:
        """Send a wrong request, and return the status, the error's name and its message."""
        response = self.send(wrong.method, self.filled(wrong.path), self.filled(wrong.body))
        assert response.status >= 400, response
        return response.status, response.error, response.json["message"]


@contextlib.contextmanager
def wrong_host(service: Service, base: str, headers: Mapping[str, str] | None = None) -> Iterator[WrongHost]:
    """Create guests that wrong requests are about, and delete them when the block ends."""
    host = WrongHost(service, base, headers or {})
    network = host.send("GET", "/networks", status=200).json[0]["name_label"]
    made = {}

    def make(word: str, name: str, **fields: Any) -> str:
        body = {"name": name, "memory": 256} | fields
        made[word] = host.send("POST", "/guests", body, status=201).json["id"]
        return f"/guests/{made[word]}"

    try:
        desk = make("guest", "desk", disks=[{"size": 2}])
        make("running", "cafe", disks=[{"size": 1}], start=True)
        make("bare", "bare")
        host.send("PUT", make("template", "mould"), {"template": True}, status=200)
        host.send("POST", f"{desk}/network_interfaces", {"network": network, "mac": MAC}, status=201)
        snapshot = host.send("POST", f"{desk}/snapshots", {"name": "before"}, status=201).json["id"]
        (disk,) = host.send("GET", f"{desk}/disks", status=200).json
        host.words |= made | {"network": network, "snapshot": snapshot, "disk": disk["id"]}
        host.words |= {"disk_name": disk["name"], "quoted_disk_name": quote(disk["name"], safe="")}
        yield host
    finally:
        if "running" in made:
            host.send("PUT", f"/guests/{made['running']}/power", {"state": "force_stop"})
        for guest in made.values():
            host.send("DELETE", f"/guests/{guest}")
