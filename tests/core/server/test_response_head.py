"""What no response has in its head."""

from support.service import Service

BASE = "/mock/head"


def test_no_response_names_the_server(service: Service) -> None:
    guest = service.post(f"{BASE}/guests", {"name": "a", "memory": 64, "disks": [{"size": 1}]}).json["id"]
    export = service.get(f"{BASE}/guests/{guest}/export")
    assert export.status == 200
    pages = [service.get(path) for path in ("/", "/docs", f"{BASE}/guests", "/nowhere/at/all/x")]
    for response in (export, *pages):
        assert "server" not in response.headers, response
    long_head = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"
    for malformed in (b"GET\r\n\r\n", long_head):
        answer = service.raw(malformed).lower()
        assert answer.startswith(b"http/1.1 4")
        assert b"\r\nserver:" not in answer
