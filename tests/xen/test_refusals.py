"""What clients of XAPI read that got something wrong: the same as those of the mock, word for word."""

from pathlib import Path
from typing import Any

import pytest

from support.service import Service, running_service, token
from support.xapi import PASSWORD, USER, Pool

HEADERS = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
MAC = "52:54:00:00:00:01"


class Pair:
    """A guest of the mock and one of XAPI, which are the same to clients, and get the same requests."""

    def __init__(self, service: Service, pool: Pool) -> None:
        self._service = service
        self._hosts = {"/mock/refusals": "Pool network", f"/xen/{pool.host}": "Pool-wide network 0"}
        new = {"name": "shop", "memory": 256, "disks": [{"size": 2}]}
        self._guests = {
            host: service.post(f"{host}/guests", new, headers=HEADERS).json["id"] for host in self._hosts
        }
        self._disks = {
            host: service.get(f"{host}/guests/{own}/disks", headers=HEADERS).json[0]["id"]
            for host, own in self._guests.items()
        }
        self.refusal(
            "POST", "/guests/{id}/network_interfaces", {"network": "{network}", "mac": MAC}, status=201
        )

    def refusal(self, method: str, path: str, body: Any, *, status: int) -> str:
        """Return the message that both have, with words for what is another for each."""
        said = {}
        for host, network in self._hosts.items():
            own, disk = self._guests[host], self._disks[host]
            sent = {key: network if value == "{network}" else value for key, value in body.items()}
            answer = self._service.request(
                method, host + path.replace("{id}", own).replace("{disk}", disk), sent, headers=HEADERS
            )
            assert answer.status == status, answer
            message = answer.json.get("message", "") if answer.body else ""
            said[host] = message.replace(own, "{id}").replace(host, "{host}").replace(network, "{network}")
        assert len(set(said.values())) == 1, said
        return said.popitem()[1]


@pytest.fixture
def pair(pool: Pool, tmp_path: Path) -> Any:
    with running_service(tmp_path, pool.toml) as service:
        yield Pair(service, pool)


def test_the_same_refusals_have_the_same_words(pair: Pair) -> None:
    interfaces = "/guests/{id}/network_interfaces"
    for method, path, body, status, message in (
        (
            "POST",
            "/guests",
            {"name": "shop", "memory": 64},
            409,
            "another guest has the name 'shop': choose another name",
        ),
        (
            "PUT",
            "/guests/{id}",
            {"hdd": 1},
            400,
            "`hdd`: 1 GiB is less than the guest's disks have (2 GiB): disks can only grow",
        ),
        (
            "PUT",
            "/guests/{id}/disks/{disk}",
            {"size": 1.5},
            400,
            "`size`: 1.5 GiB is less than the disk has (2 GiB): disks can only grow",
        ),
        (
            "POST",
            interfaces,
            {"network": "{network}", "mac": MAC},
            409,
            f"guest 'shop' already has an interface {MAC}: choose another MAC address",
        ),
        (
            "POST",
            interfaces,
            {"network": "no"},
            404,
            (
                "Network:no not found: `network` takes the name or ID of a network; "
                "GET {host}/networks lists them"
            ),
        ),
        (
            "PUT",
            f"{interfaces}/{MAC}",
            {"locking_mode": "open"},
            400,
            "'open' is not a locking mode: use network_default, locked, unlocked or disabled",
        ),
        (
            "PUT",
            f"{interfaces}/{MAC}",
            {"ipv4_allowed": ["shop"]},
            400,
            "`ipv4_allowed`: 'shop' is not an IPv4 address",
        ),
        (
            "PUT",
            "/guests/{id}/power",
            {"state": "on"},
            400,
            "'on' is not a power state: use start, stop, force_stop, pause or resume",
        ),
        (
            "PUT",
            "/guests/{id}/power",
            {"state": "pause"},
            409,
            "cannot pause guest 'shop' while it is STOPPED: it must be STARTED",
        ),
        (
            "PUT",
            "/guests/{id}/media_device",
            {"name": "no"},
            404,
            "ISO:no not found: `name` takes the name of the ISO image to insert",
        ),
        (
            "POST",
            "/guests",
            {"name": "a", "template": "no"},
            404,
            "Template:no not found: `template` takes the ID or name of the guest or template to copy",
        ),
        (
            "POST",
            "/guests",
            {"name": "a", "memory": 64, "image": "no"},
            404,
            "Image:no not found: `image` takes the name of a volume in a storage",
        ),
        (
            "POST",
            "/guests",
            {"name": "a", "memory": 64, "storage": "no"},
            404,
            (
                "Storage:no not found: `storage` takes the ID or name of the storage for disks that do "
                "not name one; GET {host}/storages lists them"
            ),
        ),
        (
            "POST",
            "/guests",
            {"name": "a", "memory": 64, "disk": []},
            400,
            "unknown field `disk`; did you mean `disks`?",
        ),
        (
            "DELETE",
            "/guests/shop",
            {},
            404,
            "Guest:shop not found: the guest named 'shop' has the ID {id}: use the ID",
        ),
        (
            "GET",
            "/guests/{id}/snapshots/no",
            {},
            404,
            "Snapshot:no not found: GET {host}/guests/{id}/snapshots lists the snapshots",
        ),
    ):
        said = pair.refusal(method, path, body, status=status)
        assert said == message


def test_a_guest_without_disks_has_none_to_grow(pair: Pair) -> None:
    pair.refusal("DELETE", "/guests/{id}/disks/{disk}", {}, status=204)
    said = pair.refusal("PUT", "/guests/{id}", {"hdd": 1}, status=400)
    assert said == "`hdd`: the guest has no disk to grow: add one first"
