"""Leases in tests: waiting for them, and fetching and sending their files."""

import contextlib
import hashlib
import http.client
import os
import shutil
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.counterparts import lacking_client
from simulators.vsphere_tests.waiting import wait_until

MIB = 1024**2


def ready(client: Client, lease: Any) -> Any:
    """Wait until a lease is ready, and return it."""
    wait_until(client, lease, "state", "ready", "error")
    assert lease.error is None, lease.error
    return lease


def disk_urls(lease: Any) -> list[Any]:
    """Return the addresses of the disks of a lease."""
    return [each for each in lease.info.deviceUrl if each.disk]


def transfer(
    device: Any,
    method: str = "GET",
    body: Any = None,
    path: str = "",
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Send a request to the address of a lease's file, if its certificate is the one that the lease names.

    :param path: another one than the address has
    """
    url = urlsplit(device.url.replace("*", "127.0.0.1"))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(str(url.hostname), url.port, context=context, timeout=20)
    with contextlib.closing(connection):
        connection.connect()
        der = connection.sock.getpeercert(binary_form=True)
        assert der is not None
        digest = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
        assert digest == device.sslThumbprint.replace(":", "")
        connection.request(method, path or url.path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()


def random_disk(folder: Path, size: int = 4 * MIB) -> Path:
    """Make a raw disk with something at its begin, its middle, and its end."""
    path = folder / "disk.raw"
    with path.open("wb") as file:
        file.truncate(size)
        for offset in (0, size // 2, size - 70_000):
            file.seek(offset)
            file.write(os.urandom(70_000))
    return path


def qemu_img(*arguments: str | Path) -> None:
    """Run qemu-img. Without it, the test is skipped."""
    if shutil.which("qemu-img") is None:
        lacking_client()
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True, timeout=60)
