"""What clients rely on besides the table: locations, labels, ids, fewer fields, HEAD."""

import codecs
import contextlib
import http.client
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.service import Service, running_service, token

BASE = "/mock/demo"


@pytest.fixture
def guest(service: Service) -> Iterator[str]:
    answer = service.post(f"{BASE}/guests", {"name": "wire", "memory": 64, "disks": [{"size": 1.5}]})
    assert answer.status == 201, answer
    yield answer.json["id"]
    service.put(f"{BASE}/guests/{answer.json['id']}/power", {"state": "force_stop"})
    service.delete(f"{BASE}/guests/{answer.json['id']}")


def test_a_location_is_a_path_that_leads_to_what_was_made(service: Service) -> None:
    answer = service.post("/mock/demo%3A443/guests", {"name": "located", "memory": 64})
    assert answer.headers["location"] == f"/mock/demo%3A443/guests/{answer.json['id']}"
    assert service.get(answer.headers["location"]).json["name"] == "located"
    assert service.delete(answer.headers["location"]).status == 204


def test_the_locations_of_parts_of_a_guest_lead_to_them(service: Service, guest: str) -> None:
    path = f"{BASE}/guests/{guest}"
    network = service.get(f"{BASE}/networks").json[0]["name_label"]
    for part, body in (
        ("disks", {"size": 1}),
        ("network_interfaces", {"network": network}),
        ("snapshots", {"name": "now"}),
    ):
        made = service.post(f"{path}/{part}", body)
        assert made.status == 201, made
        assert service.get(made.headers["location"]).json["id"] == made.json["id"]


def test_a_tag_may_hold_a_slash_and_its_location_leads_to_it(service: Service, guest: str) -> None:
    path = f"{BASE}/guests/{guest}/tags"
    assert service.post(path, {"name": "first"}).json == ["first"]
    made = service.post(path, {"name": "team/a b&c?"})
    assert (made.status, made.json) == (201, ["first", "team/a b&c?"])
    assert made.headers["location"] == f"{path}/team%2Fa%20b%26c%3F"
    assert service.delete(made.headers["location"]).status == 204
    assert service.get(path).json == ["first"]


def test_lists_are_full_entities_and_can_be_trimmed(service: Service, guest: str) -> None:
    full = {item["id"]: item for item in service.get(f"{BASE}/guests").json}
    assert full[guest] == service.get(f"{BASE}/guests/{guest}").json
    assert full[guest]["hdd"] == 1.5
    trimmed = service.get(f"{BASE}/guests?fields=name").json
    assert {"id": guest, "name": "wire"} in trimmed
    assert service.get(f"{BASE}/guests/{guest}?fields=id,state").json == {"id": guest, "state": "STOPPED"}


@pytest.mark.parametrize("path", ["/", "/mock", "/healthz", BASE, f"{BASE}/guests"])
def test_head_is_get_without_the_body(service: Service, path: str) -> None:
    head, get = service.request("HEAD", path), service.get(path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/mock",
        "/healthz",
        "/openapi.json",
        "/no/such/path/at/all",
        "/none/demo/guests",
        BASE,
        f"{BASE}/guests",
        f"{BASE}/guests?fields=name",
        f"{BASE}/guests?feilds=name",
        f"{BASE}/guests/42",
        f"{BASE}/guests/42/export",
    ],
)
def test_json_ends_with_a_newline_that_the_length_counts(service: Service, path: str) -> None:
    get, head = service.get(path), service.request("HEAD", path)
    assert get.headers["content-type"] == "application/json"
    assert get.body[-2:] in (b"}\n", b"]\n")
    assert get.headers["content-length"] == str(len(get.body))
    # Errors have an id of the request in them, always of the same length. The health report counts.
    if path != "/healthz" and "export" not in path:
        assert head.headers["content-length"] == get.headers["content-length"]


def test_head_of_an_export_starts_none(service: Service, guest: str) -> None:
    answer = service.request("HEAD", f"{BASE}/guests/{guest}/export", headers={"X-Request-Id": "head-1"})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert service.audit_of("head-1")["operation"] == "guest_info"
    assert service.request("HEAD", f"{BASE}/guests/42/export").status == 404


def test_a_sane_request_id_is_kept_and_any_other_replaced(service: Service) -> None:
    for path in ("/healthz", f"{BASE}/guests", "/nowhere/at/all/x"):
        assert service.get(path, headers={"X-Request-Id": "abc-1/2:3"}).headers["x-request-id"] == "abc-1/2:3"
        for odd in ("a b", "a\tb", "x" * 129, '"', "<script>"):
            made = service.get(path, headers={"X-Request-Id": odd}).headers["x-request-id"]
            assert made != odd
            assert len(made) == 32


def test_power_and_reboot_answer_with_the_word_they_were_sent(service: Service, guest: str) -> None:
    path = f"{BASE}/guests/{guest}"
    for state in ("start", "pause", "resume", "stop", "start", "force_stop"):
        answer = service.put(f"{path}/power", {"state": state})
        assert (answer.status, answer.json) == (200, {"action": state, "message": "ok"}), state
    service.put(f"{path}/power", {"state": "start"})
    for body in (None, {}, {"force": True}):
        assert service.put(f"{path}/reboot", body).json == {"action": "reboot", "message": "ok"}


def test_stopping_a_stopped_guest_is_409_with_both_states(service: Service, guest: str) -> None:
    answer = service.put(f"{BASE}/guests/{guest}/power", {"state": "stop"})
    assert (answer.status, answer.error) == (409, "InvalidState")
    assert answer.json["current"] == "STOPPED"
    assert "STARTED" in answer.json["needed"]


def test_a_disk_of_another_guest_is_not_found(service: Service, guest: str) -> None:
    other = service.post(f"{BASE}/guests", {"name": "other", "memory": 64, "disks": [{"size": 1}]}).json["id"]
    disk = service.post(f"{BASE}/guests/{other}/disks", {"size": 1}).json["id"]
    for method, body in (("GET", None), ("PUT", {"size": 9}), ("DELETE", None)):
        answer = service.request(method, f"{BASE}/guests/{guest}/disks/{disk}", body)
        assert answer.status == 404
        assert answer.json["message"].startswith(
            f"Disk:{disk} not found: GET {BASE}/guests/{guest}/disks lists"
        )
    assert service.get(f"{BASE}/guests/{other}/disks/{disk}").json["size"] == 1
    assert service.delete(f"{BASE}/guests/{other}").status == 204


def test_a_snapshot_may_come_without_a_name_or_a_body(service: Service, guest: str) -> None:
    path = f"{BASE}/guests/{guest}/snapshots"
    bodies: tuple[dict[str, str] | None, ...] = (None, {})
    for body in bodies:
        made = service.post(path, body)
        assert made.status == 201
        assert made.json["name"].endswith("Z")
    reverted = service.put(f"{path}/{made.json['id']}/revert", {"whatever": "old clients send"})
    assert (reverted.status, reverted.json["id"]) == (200, made.json["id"])


def test_media_is_mounted_shown_and_ejected(service: Service, guest: str) -> None:
    path = f"{BASE}/guests/{guest}/media_device"
    assert service.get(path).json == {"name": None}
    for empty in (None, ""):
        for name in ("virtio-win.iso", "debian-12-netinst.iso"):
            answer = service.put(path, {"name": name})
            assert (answer.status, answer.body) == (204, b"")
            assert service.get(path).json == {"name": name}
        answer = service.put(path, {"name": empty})
        assert (answer.status, answer.body) == (204, b"")
        assert service.get(path).json == {"name": None}


def test_a_media_request_that_is_refused_leaves_the_drive_as_it_is(service: Service, guest: str) -> None:
    path = f"{BASE}/guests/{guest}/media_device"
    service.put(path, {"name": "virtio-win.iso"})
    assert service.put(path, {"name": "nothing.iso"}).error == "EntityNotFound"
    assert service.put(path, {}).error == "InvalidArguments"
    assert service.get(path).json == {"name": "virtio-win.iso"}


def image() -> bytes:
    """A tar that no hypervisor made."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("disk.raw")
        member.size = 100_000
        archive.addfile(member, io.BytesIO(b"d" * member.size))
    return buffer.getvalue()


@pytest.mark.parametrize("label", ["application/json", "application/octet-stream", "application/x-tar", None])
@pytest.mark.parametrize(
    "data", [image(), b"QFI\xfb" + b"\0" * 4096, b"\x1f\x8b" + b"\0" * 4096], ids=["tar", "qcow2", "gzip"]
)
def test_an_image_is_imported_whatever_its_label(service: Service, label: str | None, data: bytes) -> None:
    for path in (f"{BASE}/guests", f"{BASE}/storages/{service.get(f'{BASE}/storages').json[0]['id']}/guests"):
        for body in (data, iter([data[:5], data[5:]])):  # with Content-Length, and chunked
            made = service.post(path, body, headers={"Content-Type": label})
            assert made.status == 201, made
            assert made.headers["location"] == f"{BASE}/guests/{made.json['id']}"
            assert service.delete(made.headers["location"]).status == 204


def test_any_other_body_that_is_labelled_json_is_json(service: Service) -> None:
    answer = service.post(f"{BASE}/guests", b"not an image", headers={"Content-Type": "application/json"})
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert "not JSON" in answer.json["message"]


def test_json_without_a_label_that_starts_with_a_byte_order_mark_is_no_image(service: Service) -> None:
    body = codecs.BOM_UTF8 + json.dumps({"name": "marked", "memory": 64}).encode()
    answer = service.post(f"{BASE}/guests", body)
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert "byte order mark" in answer.json["message"]


def test_a_body_without_a_label_is_json_when_it_looks_so(service: Service) -> None:
    made = service.post(f"{BASE}/guests", json.dumps({"name": "bare", "memory": 64}).encode())
    assert made.status == 201
    assert service.delete(made.headers["location"]).status == 204


@pytest.mark.parametrize("label", ["application/x-www-form-urlencoded", "text/plain"])
def test_json_under_another_label_is_refused_and_not_taken_for_an_image(service: Service, label: str) -> None:
    before = service.get(f"{BASE}/guests").json
    body = json.dumps({"name": "labelled", "memory": 64}).encode()
    answer = service.post(f"{BASE}/guests", body, headers={"Content-Type": label})
    assert (answer.status, answer.error) == (415, "UnsupportedMediaType")
    assert "Content-Type: application/json" in answer.json["message"]
    assert service.get(f"{BASE}/guests").json == before


def test_an_import_without_a_body_is_400(service: Service) -> None:
    storage = service.get(f"{BASE}/storages").json[0]["id"]
    answer = service.post(f"{BASE}/storages/{storage}/guests")
    assert (answer.status, answer.error) == (400, "InvalidArguments")


def test_what_was_exported_imports_again(service: Service, guest: str) -> None:
    exported = service.get(f"{BASE}/guests/{guest}/export")
    assert (exported.status, exported.headers["content-type"]) == (200, "application/octet-stream")
    assert exported.body[257:262] == b"ustar"
    made = service.post(f"{BASE}/guests", exported.body, headers={"Content-Type": "application/octet-stream"})
    assert made.status == 201
    before, after = service.get(f"{BASE}/guests/{guest}").json, made.json
    assert {k: v for k, v in before.items() if k not in {"id", "name"}} == {
        k: v for k, v in after.items() if k not in {"id", "name"}
    }
    assert service.delete(made.headers["location"]).status == 204


def test_one_connection_serves_many_requests_errors_included(service: Service) -> None:
    with contextlib.closing(http.client.HTTPConnection(*service.address, timeout=20)) as connection:
        for path, status in (("/healthz", 200), ("/nope/a/guests", 404), (f"{BASE}/guests", 200)):
            connection.request("GET", path, headers=service.default_headers)
            response = connection.getresponse()
            assert response.status == status
            response.read()


def test_requests_that_come_together_are_answered_in_turn(service: Service) -> None:
    first = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: p-1\r\n\r\n"
    last = b"GET /mock HTTP/1.1\r\nHost: a\r\nX-Request-Id: p-2\r\nConnection: close\r\n\r\n"
    answers = service.raw(first + last)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert answers.index(b"x-request-id: p-1") < answers.index(b"x-request-id: p-2")


def test_an_image_in_odd_pieces_is_read_to_its_last_byte_and_no_further(service: Service) -> None:
    blocks = 5860
    image = b"QFI\xfb".ljust(512 * blocks + 1, b"\0")  # the last byte makes a disk of one block more
    head = (
        "POST /mock/demo/guests HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"
        f"X-Simplestack-Hypervisor-Token: {token()}\r\nContent-Length: {len(image)}\r\n\r\n"
    ).encode()
    next_request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    pieces = [image[start : start + 700_001] for start in range(300_001, len(image), 700_001)]
    answers = service.raw(head + image[:300_001], *pieces, next_request)
    _, made, healthy = re.split(rb"(?=HTTP/1\.1 )", answers)
    assert made.startswith(b"HTTP/1.1 201 ")
    assert healthy.startswith(b"HTTP/1.1 200 ")
    guest = json.loads(made.partition(b"\r\n\r\n")[2])
    disk = service.get(f"/mock/demo/guests/{guest['id']}/disks").json[0]
    assert disk["size"] == (blocks + 1) * 512 / 1024**3


@pytest.mark.parametrize("sent", [1000, 100_000, 2_000_000])
def test_an_image_that_breaks_off_is_400_and_makes_no_guest(service: Service, sent: int) -> None:
    before = service.get("/mock/demo/guests").json
    answer = service.raw(
        b"POST /mock/demo/guests HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"
        + f"X-Simplestack-Hypervisor-Token: {token()}\r\nContent-Length: 3000000\r\n\r\n".encode()
        + bytes(sent)
    )
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert f"after {sent} of the 3000000 bytes".encode() in answer
    assert service.get("/mock/demo/guests").json == before


def test_the_pages_outside_the_base_path_say_what_there_is(service: Service) -> None:
    index = service.get("/").json
    assert (index["name"], index["hypervisors"]["mock"]["distribution"]) == (
        "simplestack",
        "simplestack-core",
    )
    page = service.get("/mock").json
    assert page["name"] == "mock"
    assert len(page["operations"]) == 39
    assert all(page["operations"].values())
    assert service.get("/healthz").json["status"] == "ok"


def test_a_service_behind_a_prefix_gives_the_same_locations(tmp_path: Path) -> None:
    with running_service(tmp_path, prefix="/stack") as service:
        answer = service.post("/stack/mock/demo/guests", {"name": "prefixed", "memory": 64})
        assert answer.headers["location"] == f"/mock/demo/guests/{answer.json['id']}"
