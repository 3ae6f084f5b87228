"""Images out and in: over TLS, to other hosts, and what stays when they fail."""

import contextlib
import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simplestack import (
    Conflict,
    HostNotAllowed,
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    InsufficientStorage,
    InvalidArguments,
    InvalidState,
    LengthRequired,
)
from simplestack_xen.errors import translate
from simplestack_xen.hooks.disks import disk_list
from simplestack_xen.hooks.guests import guest_info, guest_list
from simplestack_xen.hooks.power import guest_start, guest_suspend
from simplestack_xen.hooks.transfer import guest_export, guest_import
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from simulators.https import running
from simulators.tls import server_context
from simulators.xapi.server import Server
from simulators.xapi.simulator import Simulator
from support.peers import peer
from support.service import Service, running_service, token, wait_for
from support.xapi import PASSWORD, USER, Pool, Trust, running_pool

from .conftest import Connect, Order

MIB = 1024**2
HEADERS = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
ALL = frozenset({"hdd", "ip", "host"})


@pytest.fixture
def image(pool: Pool, session: XenSession) -> bytes:
    """Give an image of a guest with one disk."""
    return b"".join(guest_export(session, pool.vm()["uuid"]).chunks)


@pytest.fixture
def big_pool(trust: Trust) -> Iterator[Pool]:
    """Give a pool whose images are larger than what is kept of an upload."""
    with running_pool(trust, Simulator(content_bytes=12 * MIB)) as made:
        yield made


@contextlib.contextmanager
def other_host(pool: Pool, address: str = "127.0.0.1") -> Iterator[Server]:
    """Let a pool's transfers be those of another of its hosts."""
    context = server_context(pool.trust.certificate)
    with running(Server(pool.simulator, context, (address, 0))) as server:
        pool.server.redirect_to = f"https://{address}:{server.port}"
        yield server
        pool.server.redirect_to = None


class Upload:
    """A client's stream that ends, or breaks, where it is told."""

    def __init__(self, data: bytes, breaks_at: int | None = None) -> None:
        self._stream = io.BytesIO(data)
        self._breaks_at = breaks_at
        self.read_bytes = 0

    def read(self, size: int, /) -> bytes:
        if self._breaks_at is not None and self._stream.tell() >= self._breaks_at:
            raise InvalidArguments("the client went away")
        data = self._stream.read(size)
        self.read_bytes += len(data)
        return data


class Trickle(Upload):
    """A stream that comes in pieces of its own sizes."""

    def read(self, size: int, /) -> bytes:
        return super().read(min(size, 700_001))


def load(session: XenSession, data: bytes, **options: Any) -> Any:
    return guest_import(session, Upload(data, **options), len(data), None, None)


def test_an_export_is_an_archive_that_an_import_makes_the_same_guest_of(
    pool: Pool, session: XenSession, image: bytes
) -> None:
    assert image[257:262] == b"ustar"
    shown = guest_info(session, pool.vm()["uuid"])
    made = load(session, image)
    assert (made.memory, made.cpus, made.hdd, made.state) == (shown.memory, shown.cpus, shown.hdd, "STOPPED")
    assert pool.count("task") == 0


def test_a_suspended_guest_is_exported_and_a_running_one_is_not(
    pool: Pool, session: XenSession, image: bytes
) -> None:
    uuid = pool.vm()["uuid"]
    guest_start(session, uuid)
    with pytest.raises(InvalidState) as refused:
        guest_export(session, uuid)
    assert refused.value.details["current"] == "STARTED"
    guest_suspend(session, uuid)
    assert len(b"".join(guest_export(session, uuid).chunks)) > MIB


def test_an_export_that_xapi_refuses_is_refused_before_its_first_byte(
    pool: Pool, session: XenSession, order: Order
) -> None:
    order(pool, "task.create", code="TOO_MANY_PENDING_TASKS")
    with pytest.raises(XenAPI.Failure, match="TOO_MANY_PENDING_TASKS"):
        guest_export(session, pool.vm()["uuid"])
    order(pool, "export", code="VM_BAD_POWER_STATE", parameters=["OpaqueRef:1", "halted", "running"])
    with pytest.raises(XenAPI.Failure, match="VM_BAD_POWER_STATE"):
        guest_export(session, pool.vm()["uuid"])
    assert pool.count("task") == 0


def test_a_client_that_leaves_an_export_leaves_no_task_and_no_connection(
    big_pool: Pool, log_in: Connect
) -> None:
    session = log_in(big_pool)
    for reads in (0, 1):
        chunks = guest_export(session, big_pool.vm()["uuid"]).chunks
        assert len([next(chunks) for _ in range(reads)]) == reads
        chunks.close()  # type: ignore[attr-defined]  # core calls it where it is there
    wait_for(lambda: big_pool.count("task") == 0, what="the task to be destroyed")
    assert len(guest_list(session, ALL)) == 3


def test_a_client_that_takes_its_time_over_an_export_gets_all_of_it(big_pool: Pool, log_in: Connect) -> None:
    session = log_in(big_pool, call_timeout_seconds=0.3)
    chunks = guest_export(session, big_pool.vm()["uuid"]).chunks
    size = len(next(chunks))
    threading.Event().wait(0.5)  # longer than the hypervisor may take for a piece
    assert size + sum(map(len, chunks)) > 12 * MIB
    assert big_pool.count("task") == 0


def test_an_image_of_unknown_length_is_refused_with_411_since_xapi_takes_no_chunks(
    session: XenSession, pool: Pool
) -> None:
    upload = Upload(b"data")
    with pytest.raises(LengthRequired):
        guest_import(session, upload, None, None, None)
    with pytest.raises(InvalidArguments):
        guest_import(session, upload, 0, None, None)
    assert upload.read_bytes == 0
    assert pool.count("task") == 0


def test_an_import_goes_to_the_storage_that_is_named(pool: Pool, session: XenSession, image: bytes) -> None:
    second = pool.add_storage("Second")
    made = guest_import(session, Upload(image), len(image), "Second", None)
    (disk,) = disk_list(session, made.id)
    assert [vdi["SR"] for vdi in pool.all("VDI") if vdi["uuid"] == disk.extra_info] == [second.ref]


@pytest.mark.parametrize("size", ["smaller than what is kept", "larger"])
def test_transfers_follow_a_redirect_to_another_allowed_host_once(
    pool: Pool, big_pool: Pool, log_in: Connect, size: str
) -> None:
    chosen = big_pool if size == "larger" else pool
    session = log_in(chosen)
    with other_host(chosen):
        data = b"".join(guest_export(session, chosen.vm()["uuid"]).chunks)
        made = load(session, data)
        assert made.hdd == 8
        assert chosen.count("task") == 0


def test_a_redirect_to_a_host_that_is_not_allowed_gets_no_session(
    pool: Pool, session: XenSession, image: bytes
) -> None:
    before = pool.counts()
    got: list[bytes] = []
    with socket.create_server(("127.0.0.2", 0)) as stranger:
        stranger.settimeout(0)
        pool.server.redirect_to = f"https://127.0.0.2:{stranger.getsockname()[1]}"
        with pytest.raises(HostNotAllowed):
            guest_export(session, pool.vm()["uuid"])
        with pytest.raises(HostNotAllowed):
            load(session, image)
        with pytest.raises(BlockingIOError):
            got.append(stranger.accept()[0].recv(1))
    assert got == []
    assert pool.counts() == before


def test_a_redirect_that_comes_late_is_followed_while_the_beginning_is_still_there(
    big_pool: Pool, log_in: Connect
) -> None:
    session = log_in(big_pool)
    data = b"".join(guest_export(session, big_pool.vm()["uuid"]).chunks)
    with other_host(big_pool):
        big_pool.server.redirect_seconds = 0.1
        made = guest_import(session, Trickle(data), len(data), None, None)
    assert made.hdd == 8


@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}", "https://", "ftp://127.0.0.1"])
def test_a_redirect_that_is_no_https_is_not_followed(
    pool: Pool, session: XenSession, image: bytes, location: str
) -> None:
    pool.server.redirect_to = location.format(port=pool.server.port)
    with pytest.raises(HypervisorUnavailable):
        guest_export(session, pool.vm()["uuid"])
    with pytest.raises(HypervisorUnavailable):
        load(session, image)
    assert pool.count("task") == 0


def test_hosts_that_send_transfers_round_in_circles_are_left_alone(
    pool: Pool, session: XenSession, image: bytes
) -> None:
    pool.server.redirect_to = f"https://{pool.host}"
    with pytest.raises(HypervisorUnavailable):
        guest_export(session, pool.vm()["uuid"])
    with pytest.raises(HypervisorUnavailable):
        load(session, image)
    assert pool.count("task") == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n4\r\ncdef\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nabcdef",
    ],
    ids=["with a length", "chunked", "until the end"],
)
def test_an_export_is_read_however_its_end_is_told(pool: Pool, session: XenSession, answer: bytes) -> None:
    def send(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)
        (task,) = pool.all("task")
        pool.simulator.tasks.end(task, status="success")

    with peer(send, pool.trust) as port:
        pool.server.redirect_to = f"https://127.0.0.1:{port}"
        assert b"".join(guest_export(session, pool.vm()["uuid"]).chunks) == b"abcdef"


def test_a_storage_that_fills_up_in_an_import_leaves_nothing_behind(big_pool: Pool, log_in: Connect) -> None:
    session = log_in(big_pool)
    data = b"".join(guest_export(session, big_pool.vm()["uuid"]).chunks)
    big_pool.storage()["physical_size"] = big_pool.storage()["physical_utilisation"] + MIB
    before = big_pool.counts()
    with pytest.raises(XenAPI.Failure, match="SR_FULL"):
        load(session, data)
    assert big_pool.counts() == before


def test_a_storage_that_fails_when_half_of_an_import_is_written_leaves_nothing_behind(
    big_pool: Pool, log_in: Connect, order: Order
) -> None:
    session = log_in(big_pool)
    data = b"".join(guest_export(session, big_pool.vm()["uuid"]).chunks)
    before = big_pool.counts()
    order(
        big_pool, "import", code="SR_BACKEND_FAILURE_44", parameters=["", "There is insufficient space", ""]
    )
    with pytest.raises(XenAPI.Failure, match="SR_BACKEND_FAILURE_44") as failed:
        load(session, data)
    assert isinstance(translate(failed.value), InsufficientStorage)
    assert big_pool.counts() == before
    assert load(session, data).hdd == 8


def test_the_image_of_a_suspended_guest_is_of_one_that_is_suspended(pool: Pool, session: XenSession) -> None:
    uuid = pool.vm()["uuid"]
    guest_start(session, uuid)
    guest_suspend(session, uuid)
    assert load(session, b"".join(guest_export(session, uuid).chunks)).state == "PAUSED"


def test_an_import_is_sent_only_when_xapi_waits_for_it(pool: Pool, session: XenSession, image: bytes) -> None:
    """XAPI answers before it reads, so that what it refuses costs the client nothing."""
    upload = Upload(image)
    pool.disconnect("Local storage")
    with pytest.raises(Conflict, match="not connected"):
        guest_import(session, upload, len(image), "Local storage", None)
    assert upload.read_bytes == 0
    assert pool.count("task") == 0


@pytest.mark.parametrize("cut", [20_000, 500_000, MIB])
def test_an_image_that_is_damaged_or_cut_short_leaves_nothing_behind(
    pool: Pool, session: XenSession, image: bytes, cut: int
) -> None:
    before = pool.counts()
    for data in (image[:-cut], image[:cut], b"no archive at all", image.replace(b"Ref:0/", b"Ref:9/")):
        with pytest.raises(XenAPI.Failure, match="IMPORT_ERROR"):
            load(session, data)
    assert pool.counts() == before


def test_a_client_that_leaves_an_import_leaves_nothing_behind(big_pool: Pool, log_in: Connect) -> None:
    session = log_in(big_pool)
    data = b"".join(guest_export(session, big_pool.vm()["uuid"]).chunks)
    before = big_pool.counts()
    for breaks_at in (0, MIB, 8 * MIB):
        with pytest.raises(InvalidArguments, match="went away"):
            load(session, data, breaks_at=breaks_at)
        with pytest.raises(InvalidArguments, match="ended after"):
            guest_import(session, Upload(data[: breaks_at + 1]), len(data), None, None)
    assert big_pool.counts() == before


def test_a_host_that_hangs_in_an_import_is_a_time_out(pool: Pool, log_in: Connect, image: bytes) -> None:
    session = log_in(pool, call_timeout_seconds=0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pool.server.redirect_to = f"https://127.0.0.1:{silent.getsockname()[1]}"
        hasty = log_in(pool, call_timeout_seconds=0.5, connect_timeout_seconds=0.5)
        with pytest.raises(HypervisorTimeout):
            load(hasty, image)
    assert pool.count("task") == 0
    pool.server.redirect_to = None
    assert load(session, image).hdd == 8


def test_a_host_that_hangs_up_in_an_export_is_an_error_and_not_a_short_image(
    big_pool: Pool, log_in: Connect, order: Order
) -> None:
    session = log_in(big_pool)
    order(big_pool, "export", effect="drop after")
    chunks = guest_export(session, big_pool.vm()["uuid"]).chunks
    with pytest.raises((HypervisorError, XenAPI.Failure)):
        for _ in chunks:
            pass
    assert big_pool.count("task") == 0


def test_an_import_through_the_service_by_a_client_that_leaves(big_pool: Pool, tmp_path: Path) -> None:
    with running_service(tmp_path, big_pool.toml) as service:
        exported = service.get(_path(big_pool, "/export"), headers=HEADERS)
        assert exported.status == 200
        before = big_pool.counts()
        head = (
            f"POST /xen/{big_pool.host}/guests HTTP/1.1\r\nHost: x\r\n"
            f"X-Simplestack-Hypervisor-Token: {HEADERS['X-Simplestack-Hypervisor-Token']}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {len(exported.body)}\r\n\r\n"
        ).encode()
        assert service.raw(head + exported.body[: 9 * MIB]).startswith(b"HTTP/1.1 400")
        assert big_pool.counts() == before
        chunked = service.post(
            f"/xen/{big_pool.host}/guests",
            iter([exported.body]),
            headers={**HEADERS, "Content-Type": "application/octet-stream"},
        )
        assert (chunked.status, chunked.error) == (411, "LengthRequired")
        _check_import(service, big_pool, exported.body)


def _check_import(service: Service, pool: Pool, data: bytes) -> None:
    """Old clients label an image as JSON."""
    label = {**HEADERS, "Content-Type": "application/json"}
    made = service.post(f"/xen/{pool.host}/guests", data, headers=label)
    assert made.status == 201
    assert made.headers["location"] == f"/xen/{pool.host}/guests/{made.json['id']}"
    assert service.get(made.headers["location"], headers=HEADERS).json["hdd"] == 8


def _path(pool: Pool, below: str) -> str:
    return f"/xen/{pool.host}/guests/{pool.vm()['uuid']}{below}"
