"""What was wrong with the first Simplestack's REST layer, by the number of the defect.

Those of single hypervisors are with their plugins' tests.
"""

import re
from collections.abc import Iterator

import pytest

from support.service import Service

BASE = "/mock/demo"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def guest(service: Service) -> Iterator[str]:
    answer = service.post(f"{BASE}/guests", {"name": "defects", "memory": 64})
    yield answer.json["id"]
    service.delete(f"{BASE}/guests/{answer.json['id']}")


def test_defect_01_a_guest_can_be_created_beside_the_import_on_the_same_route(
    service: Service, guest: str
) -> None:
    assert service.get(f"{BASE}/guests/{guest}").json["name"] == "defects"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"{BASE}/guests/42", None, 404),
        ("PUT", f"{BASE}/guests/42/power", b"{}", 400),
        ("GET", "/nope/h/guests", None, 404),
        ("PATCH", BASE, None, 405),
    ],
)
def test_defect_02_and_05_errors_have_their_status_and_are_encoded_once(
    service: Service, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = service.request(method, path, body, headers=JSON)
    assert answer.status == status
    assert answer.error
    assert not answer.json["message"].startswith("{")
    assert not re.search(rb"Traceback|\.py|/home|/usr|/root|[Gg]unicorn|[Ff]alcon", answer.body)


def test_defect_03_errors_leave_no_session_behind(service: Service) -> None:
    service.get(f"{BASE}/guests")
    for _ in range(40):
        service.get(f"{BASE}/guests/42")
        service.post(f"{BASE}/guests", b"{", headers=JSON)
    # Two workers, and the few hosts and users of this module's other tests.
    assert service.get("/healthz").json["sessions"] <= 10


@pytest.mark.parametrize(
    "word", ["base", "hyperv", "os", "simplestack", "__init__", "...", "mock.world", "Mock"]
)
def test_defect_06_a_word_in_the_url_imports_nothing(service: Service, word: str) -> None:
    answer = service.get(f"/{word}/h/guests")
    assert (answer.status, answer.error) == (404, "HypervisorNotFound")


@pytest.mark.parametrize("host", ["user%40host", "h%2F..%2F", "h%3Fcommand%3Dx", "http%3A%2F%2Fh", "h%23"])
def test_defect_07_and_08_a_host_is_nothing_but_a_host(service: Service, host: str) -> None:
    assert service.get(f"/mock/{host}").status == 400


def test_defect_12_pool_info_answers(service: Service) -> None:
    pool = service.get(BASE).json
    assert 0 < pool["used_memory"] <= pool["total_memory"]
    assert pool["software_info"]["version"]
    assert service.get(f"{BASE}/").json["uuid"] == pool["uuid"]


@pytest.mark.parametrize("body", [b"{}", b"", b'{"state": "explode"}', b"[]", b'"start"'])
def test_defect_32_a_power_request_without_one_of_the_five_states_is_400(
    service: Service, guest: str, body: bytes
) -> None:
    answer = service.put(f"{BASE}/guests/{guest}/power", body, headers=JSON)
    assert (answer.status, answer.error) == (400, "InvalidArguments")


@pytest.mark.parametrize(
    "path", ["clone", "disks", "network_interfaces", "tags"], ids=["clone", "disks", "interfaces", "tags"]
)
def test_defect_32_missing_members_are_400_and_named(service: Service, guest: str, path: str) -> None:
    answer = service.post(f"{BASE}/guests/{guest}/{path}", {})
    assert answer.status == 400
    assert " is missing: send " in answer.json["message"]


def test_defect_32_a_body_may_span_lines(service: Service, guest: str) -> None:
    answer = service.put(f"{BASE}/guests/{guest}", b'{\n  "cpus":\n  2\n}\n', headers=JSON)
    assert (answer.status, answer.json["cpus"]) == (200, 2)


def test_defect_32_the_location_of_a_tag_is_that_tags(service: Service, guest: str) -> None:
    service.post(f"{BASE}/guests/{guest}/tags", {"name": "a"})
    made = service.post(f"{BASE}/guests/{guest}/tags", {"name": "b"})
    assert made.headers["location"] == f"{BASE}/guests/{guest}/tags/b"


def test_defect_33_an_unknown_guest_is_404_and_not_null(service: Service) -> None:
    assert service.get(f"{BASE}/guests/None").json["message"] == "Guest:None not found"
