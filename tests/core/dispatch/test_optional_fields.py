"""A field that a plugin does not know is 501 with its name, and is never silently ignored."""

import io
from collections.abc import Callable, Generator, Mapping
from typing import Annotated, Any

import pytest
from msgspec import Meta, json

from simplestack import (
    CallContext,
    CloudInit,
    Guest,
    GuestCreate,
    GuestImport,
    GuestState,
    OperationNotSupported,
)
from simplestack.plugins.errors import PluginFault
from simplestack.server.body_errors import body_fault, malformed_reason
from support.dispatching import Hypervisor, Session

SECRET = "pa55-w0rd"
CREATED: dict[str, Any] = {
    "user_data": SECRET,
    "network_config": SECRET,
    "hostname": "web-1",
    "ssh_keys": ["ssh-ed25519 AAAA"],
    "firmware": "bios",
}
DESCRIBED: dict[str, Any] = {
    "name": "web",
    "memory": 64,
    "cpus": 1,
    "network": ["a"],
    "firmware": "bios",
    "paravirtualized": False,
    "start": True,
}


class OwnCreate(GuestCreate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a plugin that had host names before core had."""

    hostname: str = "unnamed"


def a_guest(name: str = "n") -> Guest:
    return Guest(id="1", name=name, cpus=1, memory=1, hdd=0, state=GuestState.STOPPED)


def guest_create(session: Session, guest: GuestCreate) -> Guest:
    return a_guest(guest.hostname or guest.name)


def guest_clone(session: Session, guest_id: str, name: str) -> Guest:
    return a_guest(name)


def guest_import(session: Session, stream: Any, size: int | None, storage_id: str | None) -> Guest:
    return a_guest()


@pytest.fixture
def plain() -> Hypervisor:
    """A third party's plugin, written before there were such fields."""
    return Hypervisor(guest_create, guest_clone, guest_import)


def check_501(hypervisor: Hypervisor, field: str, hook: str, **arguments: Any) -> None:
    with pytest.raises(OperationNotSupported) as raised:
        hypervisor.call(hook, **arguments)
    assert raised.value.message == f"lab does not support `{field}` of {hook} (lab 1): omit it"
    assert raised.value.details == {"operation": hook, "hypervisor": "lab", "field": field}
    assert hypervisor.connected == []


@pytest.mark.parametrize("field", CREATED)
def test_a_plugin_that_does_not_declare_a_field_of_a_new_guest_never_gets_it(
    plain: Hypervisor, field: str
) -> None:
    body = GuestCreate(**{"name": "a", "memory": 1, field: CREATED[field]})
    check_501(plain, field, "guest_create", guest=body)


@pytest.mark.parametrize("field", CloudInit.__struct_fields__)
def test_a_plugin_that_does_not_declare_a_field_of_a_clone_never_gets_it(
    plain: Hypervisor, field: str
) -> None:
    data = CloudInit(**{field: CREATED[field]})
    check_501(plain, field, "guest_clone", guest_id="1", name="b", cloud_init=data)


@pytest.mark.parametrize("field", DESCRIBED)
def test_a_plugin_that_does_not_declare_a_field_of_an_import_never_gets_it(
    plain: Hypervisor, field: str
) -> None:
    description = GuestImport(**{field: DESCRIBED[field]})
    upload: dict[str, Any] = {"stream": io.BytesIO(), "size": 0, "storage_id": None}
    check_501(plain, field, "guest_import", description=description, **upload)


def test_what_has_its_default_is_not_given(plain: Hypervisor) -> None:
    body = GuestCreate(name="a", memory=1, user_data=None, ssh_keys=[])
    assert plain.call("guest_create", guest=body).name == "a"
    assert plain.call("guest_clone", guest_id="1", name="b", cloud_init=CloudInit()).name == "b"
    upload: dict[str, Any] = {"stream": io.BytesIO(), "size": 0, "storage_id": None}
    assert plain.call("guest_import", description=GuestImport(start=False), **upload).name == "n"


def test_arguments_that_callers_leave_out_are_none() -> None:
    found: list[object] = []

    def guest_clone(session: Session, guest_id: str, name: str, cloud_init: CloudInit | None) -> Guest:
        found.append(cloud_init)
        return a_guest(name)

    def guest_import(session: Session, stream: Any, description: GuestImport | None) -> Guest:
        found.append(description)
        return a_guest()

    hypervisor = Hypervisor(guest_clone, guest_import)
    hypervisor.call("guest_clone", guest_id="1", name="b")
    hypervisor.call("guest_import", stream=io.BytesIO(), size=0, storage_id=None)
    assert found == [None, None]


def test_a_plugin_gets_the_fields_that_it_declares_and_no_others() -> None:
    hypervisor = Hypervisor(guest_create, optional_fields={"guest_create": ("hostname",)})
    body = GuestCreate(name="a", memory=1, hostname="web-1")
    assert hypervisor.call("guest_create", guest=body).name == "web-1"
    with pytest.raises(OperationNotSupported, match="`user_data`"):
        hypervisor.call("guest_create", guest=GuestCreate(name="a", memory=1, hostname="b", user_data="c"))


def test_a_field_of_the_plugins_own_body_type_needs_no_declaration() -> None:
    def guest_create(session: Session, guest: OwnCreate) -> Guest:
        return a_guest(guest.hostname)

    hypervisor = Hypervisor(guest_create)
    assert hypervisor.call("guest_create", guest=OwnCreate(name="a", memory=1)).name == "unnamed"
    assert hypervisor.call("guest_create", guest=OwnCreate(name="a", memory=1, hostname="b")).name == "b"
    with pytest.raises(OperationNotSupported, match="`user_data`"):
        hypervisor.call("guest_create", guest=OwnCreate(name="a", memory=1, user_data="c"))


def test_a_plugin_that_declares_fields_takes_the_argument_that_has_them() -> None:
    with pytest.raises(PluginFault) as raised:
        Hypervisor(
            *(guest_clone, guest_import),
            optional_fields={"guest_clone": ("hostname",), "guest_import": ("name",)},
        )
    expected = "guest_clone does not take 'cloud_init', which has the fields that optional_fields lists"
    assert expected in str(raised.value)
    assert "guest_import does not take 'description'" in str(raised.value)


def test_a_call_of_a_service_plugin_is_checked_too() -> None:
    outcomes: list[object] = []

    def operation_call(
        operation: str, arguments: Mapping[str, Any], context: CallContext
    ) -> Generator[None, Any, Any]:
        assert SECRET not in repr(arguments)
        outcomes.append(context.call("guest_clone", guest_id="1", name="c").name)
        for given in (CloudInit(hostname="h"), {"hostname": "h"}):
            try:
                context.call("guest_clone", guest_id="1", name="c", cloud_init=given)
            except OperationNotSupported as error:
                outcomes.append(error.details["field"])
        with pytest.raises(TypeError, match="cloud_init: Expected `str"):
            context.call("guest_clone", guest_id="1", name="c", cloud_init={"hostname": 1})
        return (yield)

    hypervisor = Hypervisor(guest_create, guest_clone, services=(operation_call,))
    with pytest.raises(OperationNotSupported):
        hypervisor.call("guest_create", guest=GuestCreate(name="a", memory=1, user_data=SECRET))
    assert outcomes == ["c", "hostname", "hostname"]


@pytest.mark.parametrize("kind", [GuestCreate, CloudInit])
def test_the_repr_of_a_body_does_not_show_what_is_secret(kind: Callable[..., Any]) -> None:
    required = {"name": "a", "memory": 1} if kind is GuestCreate else {}
    body = kind(user_data=SECRET, network_config=SECRET, hostname="web-1", **required)
    shown = f"{body!r} {body} {list(body.__rich_repr__())}"
    assert SECRET not in shown
    assert "user_data=<secret>" in shown
    assert "hostname='web-1'" in shown
    assert "ssh_keys=[]" in shown
    assert "user_data=None" in repr(kind(**required))


class NarrowCreate(GuestCreate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new guest of a plugin that takes less user data."""

    user_data: Annotated[str, Meta(max_length=4)] | None = None


def test_a_field_stays_secret_where_a_plugin_narrows_its_type() -> None:
    assert SECRET not in repr(NarrowCreate(name="a", memory=1, user_data=SECRET))
    body = json.encode({"name": "a", "memory": 1, "user_data": SECRET})
    assert body_fault(body, NarrowCreate).startswith("`user_data` is a string of 9 characters: send")
    malformed = body.replace(SECRET.encode(), f'"{SECRET}'.encode())
    assert SECRET not in malformed_reason(malformed, NarrowCreate)


@pytest.mark.parametrize("body", [f"#cloud-config {SECRET}", [SECRET], 5])
def test_what_is_sent_instead_of_a_body_with_secrets_is_not_shown(body: object) -> None:
    message = body_fault(json.encode(body), GuestCreate)
    assert message.startswith("the body is a")
    assert SECRET not in message
