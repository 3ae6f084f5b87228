"""The whole life of a guest through REST, as docs/kvm-guest-life.md shows it, and nothing left of it."""

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import libvirt
import pytest

from support.service import Answer, Service, running_service, wait_for

from .counterparts.libvirtd import Libvirtd
from .host_state import host_state
from .image_guests import first_bytes
from .test_rest import BASE, BOOT_SECONDS, settings

OCTETS = {"Content-Type": "application/octet-stream"}
#: The guest serves a page, and what it has in memory, on a disk and as devices.
USER_DATA = """#!/bin/sh
echo "from user data" >/www/index.html
mkdir /www/cgi-bin
cat >/www/cgi-bin/note <<'END'
#!/bin/sh
if [ -n "$QUERY_STRING" ]; then
    echo "$QUERY_STRING" >/note
    echo "$QUERY_STRING" | dd of=/dev/vdb bs=512 conv=sync,fsync
fi
printf 'Content-Type: text/plain\\n\\n'
echo "memory: $(cat /note)"
echo "disk: $(dd if=/dev/vdb bs=512 count=1 | head -n 1)"
echo "devices:" $(ls /sys/class/block /sys/class/net | grep -E '^(vd|eth)')
END
chmod +x /www/cgi-bin/note
"""


@pytest.fixture(scope="module")
def service(libvirtd: Libvirtd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # The machine may be busy with other tests.
    config = settings(libvirtd).replace("connect_timeout_seconds = 3\n", "")
    with running_service(tmp_path_factory.mktemp("kvm"), config) as made:
        yield made


@pytest.fixture(autouse=True)
def as_before(libvirtd: Libvirtd, guest_volume: str) -> Iterator[None]:
    """Check that the host is exactly as it was."""
    with closing(libvirt.open(libvirtd.uri)) as connection:
        # Marks of templates that other tests have deleted, which go with the next template.
        existing = {domain.UUIDString() for domain in connection.listAllDomains()}
        for secret in connection.listAllSecrets():
            kind, _, guest = secret.usageID().partition(":")
            if kind == "simplestack-template" and guest not in existing:
                secret.undefine()
        before = host_state(connection, libvirtd)
        yield
        after = host_state(connection, libvirtd)
    for kind, entities in before.items():
        assert after[kind] == entities, kind


def fetch(address: str, path: str = "") -> str:
    """Return what the guest's web server sends; nothing while it does not."""
    try:
        with urllib.request.urlopen(f"http://{address}/{path}", timeout=5) as response:
            return str(response.read().decode())
    except (OSError, urllib.error.URLError):
        return ""


def booted(service: Service, guest: str, page: str) -> str:
    """Wait until a guest serves a page, and return its address."""

    def address() -> str | None:
        found: str | None = done(service.get(guest), 200)["ip"]
        return found if found and fetch(found) == page else None

    return str(wait_for(address, BOOT_SECONDS, f"the guest to serve {page!r}"))


def note(address: str, text: str = "") -> list[str]:
    """Return what the guest has in memory, on its disk and as devices; write a text into the first two."""
    return fetch(address, f"cgi-bin/note?{text}").splitlines()


def done(answer: Answer, status: int) -> Any:
    assert answer.status == status, answer
    return answer.json if answer.body else None


def upload(service: Service, path: str, body: bytes) -> Any:
    return done(service.request("POST", path, body, headers=service.default_headers | OCTETS), 201)


def lasting(service: Service, guest: str) -> dict[str, Any]:
    """Return all of a guest that an export keeps."""
    shown = done(service.get(guest), 200)
    disks = done(service.get(f"{guest}/disks"), 200)
    return {
        "guest": {
            name: shown[name] for name in ("name", "cpus", "memory", "hdd", "paravirtualized", "state")
        },
        "disks": [(disk["id"], disk["number"], disk["size"]) for disk in disks],
        "names": [disk["name"] for disk in disks[1:]],
        "interfaces": done(service.get(f"{guest}/network_interfaces"), 200),
        "tags": done(service.get(f"{guest}/tags"), 200),
        "media": done(service.get(f"{guest}/media_device"), 200),
    }


def test_the_whole_life_of_a_guest(service: Service, libvirtd: Libvirtd, guest_image: Path) -> None:
    query = urllib.parse.urlencode({"name": "golden", "memory": 128, "network": libvirtd.network})
    golden = f"{BASE}/guests/{upload(service, f'{BASE}/guests?{query}', guest_image.read_bytes())['id']}"
    done(service.put(golden, {"template": True}), 200)
    wanted = {
        "name": "web-1",
        "template": "golden",
        "memory": 144,
        "disks": [{"size": 0.25, "name": "data"}],
        "network_interfaces": [{"network": libvirtd.network}],
        "user_data": USER_DATA,
        "hostname": "web-1",
        "start": True,
    }
    guest = f"{BASE}/guests/{done(service.post(f'{BASE}/guests', wanted), 201)['id']}"
    done(service.post(f"{guest}/tags", {"name": "customer-42"}), 201)
    address = booted(service, guest, "from user data\n")

    devices = "devices: vda vdb eth0"
    assert note(address, "before") == ["memory: before", "disk: before", devices]
    snapshot = f"{guest}/snapshots/{done(service.post(f'{guest}/snapshots', {'name': 'good'}), 201)['id']}"
    assert note(address, "after") == ["memory: after", "disk: after", devices]
    done(service.put(f"{snapshot}/revert"), 200)
    wait_for(lambda: note(address) == ["memory: before", "disk: before", devices], BOOT_SECONDS, "the revert")

    done(service.post(f"{guest}/disks", {"size": 0.125, "name": "more"}), 201)
    nic = done(service.post(f"{guest}/network_interfaces", {"network": libvirtd.network}), 201)
    locked = {"locking_mode": "locked", "ipv4_allowed": ["192.0.2.7"]}
    done(service.put(f"{guest}/network_interfaces/{nic['id']}", locked), 200)
    devices = "devices: vda vdb vdc eth0 eth1"
    wait_for(lambda: note(address)[2:] == [devices], BOOT_SECONDS, "the guest to find its new devices")
    assert note(address, "exported") == ["memory: exported", "disk: exported", devices]

    for rejected in (service.get(f"{guest}/export"), service.delete(guest)):
        assert (rejected.status, rejected.error) == (409, "InvalidState")
    done(service.put(f"{guest}/power", {"state": "stop"}), 200)
    before = lasting(service, guest)
    assert (before["names"], before["tags"]) == (["data", "more"], ["customer-42"])
    exported = service.get(f"{guest}/export")
    assert exported.status == 200, exported.headers
    assert b"from user data" not in exported.body
    done(service.delete(guest), 204)
    assert service.get(guest).error == "EntityNotFound"

    guest = f"{BASE}/guests/{upload(service, f'{BASE}/guests', exported.body)['id']}"
    assert lasting(service, guest) == before
    assert done(service.get(f"{guest}/snapshots"), 200) == []
    _, data, _ = done(service.get(f"{guest}/disks"), 200)
    assert first_bytes(data["extra_info"]).startswith(b"exported\n")
    done(service.put(f"{guest}/power", {"state": "start"}), 200)
    # The page of the image: user data is in no export.
    booted(service, guest, "hello\n")
    done(service.put(f"{guest}/power", {"state": "stop"}), 200)
    for each in (guest, golden):
        done(service.delete(each), 204)
