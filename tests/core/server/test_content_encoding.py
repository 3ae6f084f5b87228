"""Bodies that a client has compressed: the service reads none, and takes none for something else."""

import gzip
import json
import re
from pathlib import Path

import pytest

from simplestack.operations.model import Operation
from simplestack.operations.table import OPERATIONS
from support.faults import RULES, settings
from support.service import Service, running_service

BASE = "/mock/encoded"
GZIPPED = gzip.compress(json.dumps({"name": "zipped", "memory": 64}).encode())


def path_of(row: Operation) -> str:
    return BASE + re.sub(r"{\w+}", "x", row.path).rstrip("/")


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_an_encoded_body_is_415_for_every_operation(service: Service, row: Operation) -> None:
    before = service.get(f"{BASE}/guests").json
    for label in ("application/json", "application/octet-stream", None):
        for body in (GZIPPED, iter([GZIPPED])):  # with Content-Length, and chunked
            headers = {"Content-Type": label, "Content-Encoding": "gzip"}
            answer = service.request(row.method, path_of(row), body, headers)
            assert (answer.status, answer.error) == (415, "UnsupportedMediaType"), answer
            assert answer.json["message"] == (
                "Content-Encoding 'gzip' is not supported: send the body unencoded, without Content-Encoding"
            )
            assert answer.headers["accept-encoding"] == "identity"
    assert service.get(f"{BASE}/guests").json == before


@pytest.mark.parametrize(
    "coding", ["deflate", "br", "x-gzip", "GZIP", "identity, gzip", "gzip, identity", "no such", "x" * 5000]
)
def test_any_coding_but_identity_is_415(service: Service, coding: str) -> None:
    answer = service.post(f"{BASE}/guests", GZIPPED, headers={"Content-Encoding": coding})
    assert (answer.status, answer.error) == (415, "UnsupportedMediaType")
    assert len(answer.json["message"]) < 300


@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity, identity"])
def test_a_body_that_is_said_to_be_as_it_is_is_read(service: Service, coding: str) -> None:
    body = json.dumps({"name": "plain", "memory": 64}).encode()
    made = service.post(f"{BASE}/guests", body, headers={"Content-Encoding": coding})
    assert made.status == 201, made
    assert service.delete(made.headers["location"]).status == 204


def test_a_request_without_a_body_may_have_any_content_encoding(service: Service) -> None:
    assert service.get(f"{BASE}/guests", headers={"Content-Encoding": "gzip"}).status == 200


def test_an_encoded_body_is_415_on_the_pages_of_fault_injection(tmp_path: Path) -> None:
    with running_service(tmp_path / "service", settings(tmp_path / "faults.sqlite3")) as service:
        body = gzip.compress(b'{"action": "delay", "delay_seconds": 1}')
        answer = service.post(RULES, body, headers={"Content-Encoding": "gzip"})
        assert (answer.status, answer.error) == (415, "UnsupportedMediaType")
