"""The client's address in the log: that of the connection, unless a trusted proxy says another one."""

from collections.abc import Iterator

import pytest

from support.service import Service, running_service

CONFIG = '[server]\ntrusted_proxies = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"]\n'


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service behind proxies."""
    with running_service(tmp_path_factory.mktemp("behind"), CONFIG) as service:
        yield service


def address(service: Service, forwarded: str | None, request_id: str) -> str:
    headers = {"X-Forwarded-For": forwarded, "X-Request-Id": request_id}
    assert service.get("/mock/demo/hosts", headers=headers).status == 200
    found: str = service.audit_of(request_id)["client_address"]
    return found


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (None, "127.0.0.1"),
        ("", "127.0.0.1"),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, 10.1.2.3", "192.0.2.7"),
        ("192.0.2.7,10.1.2.3 , 10.1.2.4", "192.0.2.7"),
        ("203.0.113.1, 192.0.2.7", "192.0.2.7"),  # the client has sent the first one
        ("10.9.9.9, 192.0.2.7, 10.1.2.3", "192.0.2.7"),
        ("10.1.2.3", "10.1.2.3"),
        ("2001:DB9:0::1, 2001:db8::5", "2001:db9::1"),
        ("192.0.2.7, ::ffff:10.1.2.3", "192.0.2.7"),
        ("unknown, 10.1.2.3", "10.1.2.3"),
        ("192.0.2.7, nonsense", "127.0.0.1"),
        ("192.0.2.7:1234", "127.0.0.1"),
    ],
)
def test_it_is_the_last_address_that_is_not_a_trusted_proxy(
    behind: Service, forwarded: str | None, expected: str
) -> None:
    assert address(behind, forwarded, f"behind-{hash(forwarded) & 0xFFFFFF}") == expected


def test_nobody_is_believed_without_the_setting(service: Service) -> None:
    assert address(service, "192.0.2.7", "direct-1") == "127.0.0.1"


def test_rejected_requests_have_it_too(behind: Service) -> None:
    headers = {"X-Forwarded-For": "192.0.2.8", "X-Request-Id": "rejected-1"}
    behind.get("/mock/demo/nothing", headers=headers)
    (line,) = [line for line in behind.log.splitlines() if "rejected-1" in line]
    assert "404 RouteNotFound, client 192.0.2.8: " in line
