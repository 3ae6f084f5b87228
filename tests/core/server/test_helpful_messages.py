"""What a client reads that got something wrong: each message says what to send instead."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import pytest
from msgspec import Meta, Struct

from simplestack.errors import InvalidArguments
from simplestack.identity.tokens import new_token, token_hash
from simplestack.server.bodies import decode_json
from support.distributions import install
from support.service import Service, running_service, token

BASE = "/mock/helpful"
NEW = {"name": "never", "memory": 64}
QCOW2 = b"QFI\xfb" + bytes(600)


@pytest.fixture
def guest(service: Service) -> Iterator[str]:
    made = service.post(f"{BASE}/guests", {"name": "a/b 'c'", "memory": 64})
    assert made.status == 201, made
    yield made.json["id"]
    service.delete(f"{BASE}/guests/{made.json['id']}")


def message_of(service: Service, method: str, path: str, body: Any = None) -> tuple[int, str]:
    answer = service.request(method, BASE + path, body)
    assert answer.error
    return answer.status, answer.json["message"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (
            "/guests",
            {"name": "never", "template": "no"},
            "Template:no not found: `template` takes the ID or name of",
        ),
        (
            "/guests",
            NEW | {"image": "no"},
            "Image:no not found: `image` takes the name of a volume in a storage",
        ),
        ("/guests", NEW | {"iso": "no"}, "ISO:no not found: `iso` takes the name of the ISO image"),
        (
            "/guests",
            NEW | {"storage": "no"},
            "Storage:no not found: `storage` takes the ID or name of the storage",
        ),
        (
            "/guests",
            NEW | {"network_interfaces": [{"network": "Pool network"}, {"network": "no"}]},
            (
                "Network:no not found: `network_interfaces[1].network` takes the name or ID of a network; "
                "GET /mock/helpful/networks lists them"
            ),
        ),
        (
            "/guests",
            NEW | {"disks": [{"size": 1, "storage": "no"}]},
            (
                "Storage:no not found: `disks[0].storage` takes the ID or name of the storage; "
                "GET /mock/helpful/storages lists them"
            ),
        ),
        (
            "/guests?name=never&memory=64&network=no",
            QCOW2,
            "Network:no not found: `network` takes the name or ID",
        ),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_what_a_field_names_and_is_not_there_is_404_with_what_the_field_takes(
    service: Service, path: str, body: Any, message: str
) -> None:
    status, said = message_of(service, "POST", path, body)
    assert status == 404
    assert said.startswith(message)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("GET", "/disks/0", None),
        ("PUT", "/power", {"state": "start"}),
    ],
)
def test_a_guests_name_instead_of_its_id_is_404_with_the_id(
    service: Service, guest: str, method: str, path: str, body: Any
) -> None:
    status, said = message_of(service, method, f"/guests/a%2Fb%20%27c%27{path}", body)
    assert status == 404
    assert said == f"""Guest:a/b 'c' not found: the guest named "a/b 'c'" has the ID {guest}: use the ID"""


def test_an_unknown_id_of_a_guest_is_404_and_says_no_more(service: Service, guest: str) -> None:
    for unknown in ("nobody", "00000000-0000-4000-8000-000000000000", "a%2Fb"):
        status, said = message_of(service, "GET", f"/guests/{unknown}")
        assert (status, said) == (404, f"Guest:{unknown.replace('%2F', '/')} not found")


@pytest.mark.parametrize("entity", ["Host", "Storage", "Network", "Disk"])
def test_a_name_instead_of_an_id_is_404_with_the_id(service: Service, guest: str, entity: str) -> None:
    path = f"/guests/{guest}/disks" if entity == "Disk" else f"/{entity.lower()}s"
    if entity == "Disk":
        service.post(BASE + path, {"size": 1})
    known = service.get(BASE + path).json[-1]
    name = known.get("name", known.get("name_label"))
    status, said = message_of(service, "GET", f"{path}/{quote(name, safe='')}")
    told = f"the {entity.lower()} named {name!r} has the ID {known['id']}: use the ID"
    assert (status, said) == (404, f"{entity}:{name} not found: {told}")


def test_a_name_that_several_have_is_404_with_their_ids(service: Service, guest: str) -> None:
    path = f"/guests/{guest}/snapshots"
    ids = [service.post(BASE + path, {"name": "noon"}).json["id"] for _ in range(2)]
    status, said = message_of(service, "PUT", f"{path}/noon/revert")
    assert status == 404
    assert said.startswith(
        "Snapshot:noon not found: several snapshots are named 'noon': use one of their IDs, "
    )
    assert all(each in said for each in ids)


def test_another_unknown_id_is_404_with_the_list_that_has_ids(service: Service, guest: str) -> None:
    for path, words in (
        ("networks", "networks"),
        (f"guests/{guest}/network_interfaces", "network interfaces"),
        (f"guests/{guest}/tags", "tags"),
    ):
        for unknown in ("nobody", "00000000-0000-4000-8000-000000000000"):
            method = "DELETE" if words == "tags" else "GET"
            status, said = message_of(service, method, f"/{path}/{unknown}")
            assert status == 404
            assert said.endswith(f":{unknown} not found: GET {BASE}/{path} lists the {words}")


GUESSED = """
class GuessedSettings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    api_key: str = ""

@hookimpl
def guest_create(session, guest):
    raise EntityNotFound("Storage", guest.name)

plugin = HypervisorPlugin(name="guessed", title="Guessed", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=GuessedSettings)
"""


def test_no_message_tells_that_a_client_has_guessed_the_value_of_a_setting(tmp_path: Path) -> None:
    install(tmp_path / "plugins", "guessed", GUESSED)
    config = "[hypervisors.guessed]\napi_key = 's3cret'\n"
    with running_service(tmp_path, config, plugins=tmp_path / "plugins") as service:
        response = service.post("/guessed/host/guests", {"name": "s3cret", "memory": 64})
    assert (response.status, response.json["message"]) == (404, "Storage:s3cret not found")


def test_only_names_make_the_service_list_the_guests(tmp_path: Path) -> None:
    """A client that waits until a guest is gone must not cost a list each time."""
    with running_service(tmp_path) as service:
        service.get("/mock/quiet/guests/00000000-0000-4000-8000-000000000000")
        named = service.get("/mock/quiet/guests/nobody").headers["x-request-id"]
        service.audit_of(named)
        assert [line["operation"] for line in service.audit].count("guest_list") == 1


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/guest", "/guests"),
        ("/Guests", "/guests"),
        ("/vms", "/guests"),
        ("/guests/7/disk", "/guests/7/disks"),
        ("/guests/7/media", "/guests/7/media_device"),
        ("/guests/7/nics/8", "/guests/7/network_interfaces/8"),
        ("/gests/7/snapshot/8/rever", "/guests/7/snapshots/8/revert"),
    ],
)
def test_a_misspelt_path_is_404_with_the_path_that_was_meant(service: Service, path: str, meant: str) -> None:
    for method in ("GET", "PUT"):
        status, said = message_of(service, method, path)
        assert (status, said) == (404, f"no operation has this path; did you mean {BASE}{meant}?")


@pytest.mark.parametrize(
    "path", ["/nothing/like/this", "/guests/7/disks/8/9/10", f"/guests/{'7' * 300}/disk"]
)
def test_another_path_is_404_with_where_paths_are_listed(service: Service, path: str) -> None:
    status, said = message_of(service, "GET", path)
    assert status == 404
    assert said == (
        "no operation has this path; paths start with /{hypervisor}/{host}, GET /openapi.json lists them"
    )


def test_a_path_without_hypervisor_and_host_is_404_with_where_they_belong(service: Service) -> None:
    for path in ("/guests", "/networks/7"):
        answer = service.get(path)
        assert (answer.status, answer.error) == (404, "HypervisorNotFound")
        assert "; paths start with /{hypervisor}/{host}: /{hypervisor}/{host}/" in answer.json["message"]
    assert "paths start" not in service.get("/kmv/h/guests").json["message"]


@pytest.mark.parametrize(
    ("method", "path", "use"),
    [
        ("POST", "/guests/7/power", "PUT"),
        ("GET", "/guests/7/clone", "POST"),
        ("PATCH", "/guests/7", "DELETE, GET or PUT"),
        ("DELETE", "/guests", "GET or POST"),
    ],
)
def test_a_method_that_a_path_does_not_support_is_405_with_those_that_it_does(
    service: Service, method: str, path: str, use: str
) -> None:
    status, said = message_of(service, method, path, {})
    assert (status, said) == (405, f"this path does not support {method}: use {use}")


def test_a_service_token_is_missing_unknown_or_in_another_scheme(tmp_path: Path) -> None:
    made = new_token()
    with running_service(tmp_path, f"[server.tokens]\nclient = '{token_hash(made)}'") as service:

        def said(**headers: str) -> str:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = service.get("/mock/demo/guests", headers=given)
            assert (answer.status, answer.error) == (401, "Unauthorized")
            message: str = answer.json["message"]
            return message

        missing = "this service needs a service token, and it is missing: send Authorization: Bearer TOKEN"
        assert said().startswith(missing)
        assert said(X_Simplestack_Token="TODO").startswith(missing)
        unknown = "the service token is unknown to this service: ask its operator for one"
        assert said(Authorization="Bearer wrong") == said(X_Simplestack_Token="wrong") == unknown
        assert "the Authorization header is not Bearer" in said(Authorization=f"Basic {token()}")
        for headers in ({"Authorization": f"Bearer {made}"}, {"X-Simplestack-Token": made}):
            assert service.get("/mock/demo/guests", headers=headers).status == 200


def test_no_message_has_a_regular_expression() -> None:
    class Own(Struct):
        slot: Annotated[str, Meta(pattern=r"\A[A-Z]{2}-[0-9]+\Z", max_length=8)]

    with pytest.raises(InvalidArguments) as raised:
        decode_json(b'{"slot": "a1"}', Own)
    assert raised.value.message == (
        "`slot` is the string 'a1': send a string in the form that GET /openapi.json describes "
        "(at most 8 characters)"
    )
