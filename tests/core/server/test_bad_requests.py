"""Bad input: a clear error in the one shape, and nothing lost."""

import base64
import json
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from support.service import Answer, Service, running_service, token

BASE = "/mock/demo"


def with_token(value: str | None) -> dict[str, str | None]:
    return {"X-Simplestack-Hypervisor-Token": value}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "the hypervisor token is missing"),
        ("", "the hypervisor token is missing"),
        ("not base64!", "is not base64"),
        ("YWRtaW46c2VjcmV", "is not base64"),  # without its padding
        (encoded(b"admin"), "no colon"),
        (encoded(b":secret"), "the user name in the hypervisor token is empty"),
        (encoded(b"ad\xffmin:secret"), "is not base64 of UTF-8"),
        (encoded(b"ad\nmin:secret"), "control characters"),
        ("TODO", "no colon|is not base64"),
    ],
)
def test_a_token_that_is_not_user_and_password_is_401(
    service: Service, value: str | None, reason: str
) -> None:
    answer = service.get(f"{BASE}/guests", headers=with_token(value))
    assert (answer.status, answer.error) == (401, "Unauthorized")
    assert any(part in answer.json["message"] for part in reason.split("|"))
    assert "www-authenticate" in answer.headers


def test_a_password_may_hold_colons_and_any_letters(service: Service) -> None:
    headers = with_token(encoded("jürgen:a:b:ü€".encode()))
    assert service.get(f"{BASE}/guests", headers=headers).status == 200


def test_headers_that_first_generation_clients_send_are_taken(service: Service) -> None:
    headers = {
        "X-Simplestack-Version": "1.0",
        "X-Simplestack-Token": "TODO",
        "Content-Type": "application/json",
    }
    assert service.get(f"{BASE}/guests", headers=headers).status == 200
    assert service.get(f"{BASE}/guests/").status == 200


def test_an_unknown_hypervisor_is_404_and_those_installed_are_named(service: Service) -> None:
    answer = service.get("/hyperv/10.0.0.1/guests")
    assert (answer.status, answer.error) == (404, "HypervisorNotFound")
    assert "mock" in answer.json["message"]
    assert "did you mean 'mock'" in service.get("/mok/h/guests").json["message"]
    assert service.get("/hyperv").error == "HypervisorNotFound"


def test_a_known_hypervisor_that_is_not_in_use_is_404_and_what_adds_it_is_named(tmp_path: Path) -> None:
    with running_service(tmp_path, '[server]\nhypervisors = ["mock"]\n') as service:
        answer = service.get("/vmware/10.0.0.1/guests")
    assert (answer.status, answer.error) == (404, "HypervisorNotFound")
    message = answer.json["message"]
    assert "The plugin simplestack-vmware is not installed where the service runs, or its settings" in message
    assert sys.prefix not in message


@pytest.mark.parametrize(
    "host",
    [
        "a/b",
        "a?command=x",
        "user@host",
        "a b",
        "a\nb",
        "a\r\nX: y",
        "host:99999",
        "host:0",
        "..",
        "[::1",
        "%00",
    ],
)
def test_a_host_that_is_no_host_is_400(service: Service, host: str) -> None:
    answer = service.get(f"/mock/{quote(host, safe='')}/guests")
    assert (answer.status, answer.error) == (400, "InvalidArguments")


def test_a_bare_slash_in_a_host_is_another_path(service: Service) -> None:
    assert service.get("/mock/a/b/guests").error == "RouteNotFound"


def test_an_unknown_guest_is_404(service: Service) -> None:
    answer = service.get(f"{BASE}/guests/42")
    assert (answer.status, answer.error) == (404, "EntityNotFound")
    assert answer.json["message"] == "Guest:42 not found"


@pytest.mark.parametrize("path", ["/nothing/here/at/all", "/mock/demo/gests", "/mock/demo/guests/1/2/3"])
def test_a_path_of_no_operation_is_404(service: Service, path: str) -> None:
    answer = service.get(path)
    assert (answer.status, answer.error) == (404, "RouteNotFound")


def test_a_method_of_no_operation_is_405_and_those_there_are_are_listed(service: Service) -> None:
    answer = service.request("PATCH", f"{BASE}/guests")
    assert (answer.status, answer.error) == (405, "MethodNotAllowed")
    assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"


def create(service: Service, body: bytes, **headers: str | None) -> Answer:
    sent = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return service.post(f"{BASE}/guests", body, headers=sent)


DEEP = b'{"name": ' + b"[" * 100_000


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"name": "a", "memory": 1', "line 1, column 26, where the body ends"),
        (b"[]", "the body is an array: send an object (fields: name, memory, "),
        (b"null", "the body is null: send an object"),
        (b'{"name": "a", "memory": NaN}', "invalid number at line 1, column 25"),
        (b'{"name": "a", "memory": 1} trailing', "line 1, column 28"),
        (b'{"name": "\xff", "memory": 1}', "UTF-8"),
        (b"", "a JSON body is required"),
        (DEEP, "nested too deeply"),
        (b'{"name": "a", "memory": 1, "x": ' + DEEP, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"name": "a", "memory": -1}', "`memory` is -1: send a whole number of MiB (1 to 67108864)"),
        (b'{"name": "a", "memory": 0}', "`memory` is 0: send "),
        (b'{"name": "a", "memory": "1"}', "`memory` is the string '1': send a whole number of MiB"),
        (b'{"name": "a", "memory": 1e400}', "`memory` is a number that is out of range"),
        (b'{"name": "a", "memory": 99999999999999999999}', "`memory` is 99999999999999999999: "),
        (b'{"name": "a", "memory": true}', "`memory` is true: send "),
        (b'{"name": "a", "memory": 1.5}', "`memory` is 1.5: send a whole number"),
        (b'{"name": "a", "memroy": 1}', "unknown field `memroy`; did you mean `memory`?"),
        (b'{"memory": 1}', "`name` is missing: send a string"),
        (b'{"name": "a"}', "`memory` is missing: send "),
        (b'{"name": "", "memory": 1}', "`name` is an empty string: send "),
        (
            b'{"name": "a\\nb", "memory": 1}',
            r"`name` is the string 'a\nb': send a string without control characters",
        ),
        (b'{"name": "a", "memory": 1, "disks": [{"size": 0}]}', "`disks[0].size` is 0: send a number of GiB"),
        (
            b'{"name": "a", "memory": 1, "template": "t", "image": "i"}',
            "`template` and `image` are both given",
        ),
    ],
    ids=range(24),
)
def test_a_wrong_body_is_400_and_names_the_member(service: Service, body: bytes, reason: str) -> None:
    before = len(service.get(f"{BASE}/guests").json)
    answer = create(service, body)
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert reason in answer.json["message"]
    assert len(service.get(f"{BASE}/guests").json) == before


def test_a_json_body_of_one_byte_more_than_1_mib_is_413(service: Service) -> None:
    start, end = b'{"name": "', b'"}'
    fits = start + b"x" * (1024**2 - len(start + end)) + end
    assert create(service, fits).status == 400  # read, and then refused for its name
    answer = create(service, fits + b" ")
    assert (answer.status, answer.error) == (413, "PayloadTooLarge")


def test_a_chunked_json_body_is_bounded_too(service: Service) -> None:
    pieces = iter([b'{"name": "' + b"x" * 1024**2, b'y"}'])
    answer = service.post(f"{BASE}/guests", pieces, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.error) == (413, "PayloadTooLarge")


def test_json_may_be_chunked_and_span_lines(service: Service) -> None:
    text = json.dumps({"name": "in lines", "memory": 64}, indent=2).encode()
    answer = service.post(
        f"{BASE}/guests", iter([text[:7], text[7:]]), headers={"Content-Type": "application/json"}
    )
    assert answer.status == 201, answer
    assert service.delete(f"{BASE}/guests/{answer.json['id']}").status == 204


def test_json_under_another_label_is_415(service: Service) -> None:
    guest = service.get(f"{BASE}/guests").json[0]["id"]
    answer = service.put(f"{BASE}/guests/{guest}", b"{}", headers={"Content-Type": "text/plain"})
    assert (answer.status, answer.error) == (415, "UnsupportedMediaType")
    assert answer.json["message"].startswith("Content-Type 'text/plain' is not JSON")


@pytest.mark.parametrize("state", ["", "off", "STOP", "restart", None, 1, ["start"]])
def test_a_state_that_is_not_one_of_the_five_is_400(service: Service, state: object) -> None:
    guest = service.get(f"{BASE}/guests").json[0]["id"]
    answer = service.put(f"{BASE}/guests/{guest}/power", {"state": state})
    assert (answer.status, answer.error) == (400, "InvalidArguments")


def test_a_content_length_that_is_longer_than_the_body_is_400(service: Service) -> None:
    head = (
        f"POST {BASE}/guests HTTP/1.1\r\nHost: a\r\nX-Simplestack-Hypervisor-Token: {token()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    )
    answer = service.raw(head.encode() + b'{"name": "a", "memory": 64}')
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"the body ended after 27 of the 99 bytes" in answer


def test_a_content_length_that_is_shorter_than_the_body_is_400(service: Service) -> None:
    head = (
        f"POST {BASE}/guests HTTP/1.1\r\nHost: a\r\nX-Simplestack-Hypervisor-Token: {token()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    )
    answer = service.raw(head.encode() + b'{"name": "a", "memory": 64}')
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"where the body ends" in answer


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost a\r\n\r\n", 400),
        (b"POST /mock/a/guests HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /mock/a/guests HTTP/1.1\r\nTransfer-Encoding: snappy\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_not_http_gets_an_error_of_the_same_shape(service: Service, text: bytes, status: int) -> None:
    answer = service.raw(text)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    head, _, body = answer.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert set(problem) == {"error", "message", "request_id"}
    assert problem["request_id"].encode() in head
    assert body.endswith(b"}\n")
    assert f"Content-Length: {len(body)}".encode() in head


def test_a_request_without_host_is_400_by_http_1_1_alone(service: Service) -> None:
    assert b"the Host header is missing" in service.raw(b"GET /healthz HTTP/1.1\r\n\r\n")
    assert service.raw(b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 ")


@pytest.mark.parametrize(
    "coding", ["gzip, chunked", "identity, chunked", "gzip\r\nTransfer-Encoding: chunked"]
)
@pytest.mark.parametrize("label", ["application/json", "application/octet-stream"])
def test_a_body_with_another_transfer_coding_is_501(service: Service, coding: str, label: str) -> None:
    body = b'{"name": "coded", "memory": 64}'
    head = (
        f"POST {BASE}/guests HTTP/1.1\r\nHost: a\r\nX-Simplestack-Hypervisor-Token: {token()}\r\n"
        f"Content-Type: {label}\r\nTransfer-Encoding: {coding}\r\n\r\n"
    )
    answer = service.raw(head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert answer.startswith(b"HTTP/1.1 501 "), answer
    assert b"Transfer-Encoding 'gzip" in answer or b"Transfer-Encoding 'identity" in answer


def test_fields_that_do_not_exist_are_named(service: Service) -> None:
    answer = service.get(f"{BASE}/guests?fields=id,nmae")
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert "'nmae'" in answer.json["message"]


def test_an_id_with_control_characters_is_400(service: Service) -> None:
    assert service.get(f"{BASE}/guests/a%0Ab").status == 400
    assert service.get(f"{BASE}/guests/a%FFb").status == 400
    assert service.get(f"{BASE}/guests/{'a' * 1100}").status == 400


@pytest.mark.parametrize("identity", ["a%2Fb", "%3Cx%3E", "a%26b", "a'b", "%C3%A4"])
def test_a_hostile_id_is_just_an_unknown_one(service: Service, identity: str) -> None:
    answer = service.get(f"{BASE}/guests/{identity}")
    assert (answer.status, answer.error) == (404, "EntityNotFound")


def test_a_whole_number_may_be_written_with_a_point(service: Service) -> None:
    body = b'{"name": "whole", "memory": 64.0, "cpus": 2e0, "disks": [{"size": 1.5}]}'
    made = service.post(f"{BASE}/guests", body, headers={"Content-Type": "application/json"})
    assert (made.status, made.json["memory"], made.json["cpus"], made.json["hdd"]) == (201, 64, 2, 1.5), made
    assert service.delete(made.headers["location"]).status == 204
    refused = service.post(f"{BASE}/guests", body.replace(b"whole", b"").replace(b"64.0", b"64.5"))
    assert refused.error == "InvalidArguments"
