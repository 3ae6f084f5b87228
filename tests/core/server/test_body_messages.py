"""What clients read about a body that is wrong: the value, what is accepted, what to do."""

import codecs
import datetime as dt
import enum
import re
import uuid
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from simplestack.entities.guest import GuestCreate, GuestUpdate, PowerRequest, RebootRequest
from simplestack.entities.media import MediaRequest
from simplestack.entities.network import NetworkCreate, NetworkInterfaceCreate, NetworkInterfaceUpdate
from simplestack.errors import InvalidArguments
from simplestack.fault_injection import Rule
from simplestack.operations.model import JsonBody
from simplestack.operations.table import OPERATIONS
from simplestack.server.bodies import decode_json

#: msgspec's own words.
FOREIGN = re.compile(r"[Ee]xpected `|Invalid |[Oo]bject (contains|missing)|regex|`\$|byte [0-9]|truncated")


def message_of(text: bytes, kind: type[Struct]) -> str:
    with pytest.raises(InvalidArguments) as raised:
        decode_json(text, kind)
    assert not FOREIGN.search(raised.value.message)
    return raised.value.message


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (
            PowerRequest,
            {"state": "on"},
            "'on' is not a power state: use start, stop, force_stop, pause or resume",
        ),
        (PowerRequest, {"state": 1}, "1 is not a power state: use start, stop, force_stop, pause or resume"),
        (PowerRequest, {}, "`state` is missing: send start, stop, force_stop, pause or resume"),
        (RebootRequest, {"force": "yes"}, "`force` is the string 'yes': send true or false"),
        (
            GuestCreate,
            {"name": "a", "memory": "512"},
            "`memory` is the string '512': send a whole number of MiB (1 to 67108864) or null",
        ),
        (
            GuestCreate,
            {"name": "a", "memory": 1, "disks": [{"size": 1}, {"size": 0}]},
            "`disks[1].size` is 0: send a number of GiB (more than 0, at most 65536)",
        ),
        (
            GuestCreate,
            {"name": "a", "memory": 1, "disks": [{"sise": 1}]},
            "unknown field `disks[0].sise`; did you mean `size`?",
        ),
        (
            GuestCreate,
            {"name": "a", "memory": 1, "disks": {}},
            "`disks` is an object: send an array in which each item is an object (fields: size, ",
        ),
        (
            GuestCreate,
            {"name": "a", "memory": 1, "disks": [{"size": 1, "zz": 1}]},
            "unknown field `disks[0].zz`; the fields are size, name, storage",
        ),
        (
            GuestCreate,
            {"name": "n" * 256, "memory": 1},
            f"`name` is a string of 256 characters, '{'n' * 60}...': send a string without control ",
        ),
        (
            GuestCreate,
            {"name": "a"},
            "`memory` is missing: send a whole number of MiB, or the `template` to copy",
        ),
        (GuestUpdate, {"hdd": None}, "`hdd` is null: send a number of GiB (more than 0, at most 65536)"),
        (GuestUpdate, {"a\n`b": 1}, "unknown field `a\\n'b`; the fields are name, memory, cpus, hdd, "),
        (
            MediaRequest,
            {},
            "`name` is missing: send a string without control characters (at most 1024 characters)",
        ),
        (
            NetworkCreate,
            {"name": "a", "from_network": "b", "vlan": 5000},
            "`vlan` is 5000: send a whole number (1 to 4094)",
        ),
        (
            NetworkCreate,
            {"name": "a", "from_network": "b", "vlan": 1, "other_config": {"mtu": 9000}},
            "`other_config.mtu` is 9000: send a string",
        ),
        (
            NetworkInterfaceCreate,
            {"network": "a", "mac": "zz"},
            "`mac` is the string 'zz': send a MAC address such as `52:54:00:12:34:56` or null",
        ),
        (
            NetworkInterfaceCreate,
            {"network": "a", "mac": "01:00:5e:00:00:01"},
            "`mac` is the multicast address 01:00:5e:00:00:01: send a unicast address",
        ),
        (
            NetworkInterfaceCreate,
            {"network": "a", "mac": "FF:FF:FF:FF:FF:FF"},
            "`mac` is the multicast address FF:FF:FF:FF:FF:FF: send a unicast address",
        ),
        (
            NetworkInterfaceCreate,
            {"network": "a", "mac": "00:00:00:00:00:00"},
            "`mac` is 00:00:00:00:00:00, which is no interface's: send another address, or none",
        ),
        (
            NetworkInterfaceUpdate,
            {"ratelimit": True},
            "`ratelimit` is true: send a whole number of bit/s, or false for no limit",
        ),
        (
            NetworkInterfaceUpdate,
            {"ratelimit": "10M"},
            "`ratelimit` is the string '10M': send a whole number of bit/s (0 to 1000000000000), false or n",
        ),
        (
            NetworkInterfaceUpdate,
            {"locking_mode": "open"},
            "'open' is not a locking mode: use network_default, locked, unlocked or disabled",
        ),
        (NetworkInterfaceUpdate, {"ipv4_allowed": ["a", 1]}, "`ipv4_allowed[1]` is 1: send a string"),
    ],
    ids=str,
)
def test_a_message_names_the_value_and_what_is_accepted(
    kind: type[Struct], body: dict[str, Any], message: str
) -> None:
    assert message_of(msgspec.json.encode(body), kind).startswith(message)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"name": "a",\n "memory": 1 "cpus": 2}', "at line 2, column 14, near '\"cpus\": 2}'"),
        (b"{'name': 1}", "at line 1, column 2, near \"'name': 1}\""),
        (
            b'{"name": "NaN \\" Infinity", "cpus": -Infinity}',
            "invalid number at line 1, column 37, near '-Infinity}'",
        ),
        (b'{"name": "\xc3\xa4"', "at line 1, column 13, where the body ends"),
        (b'{"memory": "wrong", "name": }', "at line 1, column 29, near '}'"),
    ],
)
def test_a_body_that_is_not_json_is_shown_by_line_and_column(body: bytes, place: str) -> None:
    message = message_of(body, GuestUpdate)
    assert message.startswith("the body is not JSON: ")
    assert message.endswith(place)
    of_secrets = message_of(body, GuestCreate)
    assert of_secrets == message.partition(", near ")[0]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"memory": 512, "name": "\\ud800"}', r"`name` has half of a surrogate pair, \ud800:"),
        (b'{"memory": 512.0, "name": "a\\uDFFF"}', r"`name` has half of a surrogate pair, \udfff:"),
        (b'{"name": "\\ud83d", "name": "a"}', "the body has half of a surrogate pair:"),
        (
            b'{"name": "a", "disks": [{"size": 1}, {"size": 1, "name": "\\udc00\\ud800"}]}',
            r"`disks[1].name` has half of a surrogate pair, \udc00:",
        ),
        (b'{"a\\ud800": 1}', r"the name of the field `a\ud800` has half of a surrogate pair, \ud800:"),
        (b'"\\ud800"', r"the body has half of a surrogate pair, \ud800:"),
    ],
)
def test_half_of_a_surrogate_pair_is_named(body: bytes, place: str) -> None:
    remedy = r" send both halves, such as \ud83d\ude00, or the character itself in UTF-8"
    assert message_of(body, GuestCreate) == place + remedy


@pytest.mark.parametrize("body", [b'{"name": "a", "memory": 1}', b"{", b""])
def test_a_byte_order_mark_is_named(body: bytes) -> None:
    message = message_of(codecs.BOM_UTF8 + body, GuestCreate)
    assert message == "the body starts with a byte order mark: send JSON without a byte order mark"


def test_whole_numbers_may_be_written_with_a_fraction_or_an_exponent() -> None:
    guest = decode_json(
        b'{"name": "1.0", "memory": 512.0, "cpus": 2e0, "disks": [{"size": 1.5}]}', GuestCreate
    )
    assert (guest.name, guest.memory, guest.cpus) == ("1.0", 512, 2)
    assert isinstance(guest.memory, int)
    assert isinstance(guest.cpus, int)
    assert guest.disks[0].size == 1.5


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity", "9" * 5000])
def test_an_invalid_number_beside_a_whole_number_with_a_fraction_is_rejected(number: str) -> None:
    class Ratio(Struct):
        whole: int
        ratio: Any

    with pytest.raises(InvalidArguments):
        decode_json(f'{{"whole": 1.0, "ratio": {number}}}'.encode(), Ratio)


@pytest.mark.parametrize("place", range(9))
def test_the_first_wrong_item_of_several_is_named(place: int) -> None:
    items = ["a"] * place + [place] + ["a", None] * (8 - place)
    message = message_of(msgspec.json.encode({"ipv6_allowed": items}), NetworkInterfaceUpdate)
    assert message == f"`ipv6_allowed[{place}]` is {place}: send a string"


def test_a_field_that_is_given_twice_with_one_wrong_value_is_an_error() -> None:
    assert "given only once" in message_of(b'{"name": "a", "memory": "1", "memory": 1}', GuestCreate)


class Mode(enum.Enum):
    FAST = "fast"
    SAFE = "safe"


class Local(Struct, tag_field="type", tag="local", forbid_unknown_fields=True):
    path: str


class Remote(Struct, tag_field="type", tag="remote", forbid_unknown_fields=True):
    url: str


class Window(Struct, forbid_unknown_fields=True):
    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError("`end` is before `start`: send a later one")


class Own(GuestUpdate, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"boot_at": "bootAt"}):
    boot_at: dt.datetime | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    level: Annotated[Literal[1, 2], Meta(extra={"words": "a level"})] | UnsetType = UNSET
    owner: uuid.UUID | UnsetType = UNSET
    source: Local | Remote | UnsetType = UNSET
    code: Annotated[str, Meta(pattern="^[a-z]+$")] | UnsetType = UNSET
    windows: Annotated[list[Window], Meta(max_length=2)] | UnsetType = UNSET
    ports: dict[int, Annotated[int, Meta(multiple_of=10)]] | UnsetType = UNSET
    labels: set[str] | UnsetType = UNSET


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"bootAt": "noon"}, "`bootAt` is the string 'noon': send a time in RFC 3339"),
        ({"boot_at": "noon"}, "unknown field `boot_at`; did you mean `bootAt`?"),
        ({"mode": "slow"}, "`mode` is the string 'slow': send fast or safe"),
        ({"level": 3}, "3 is not a level: use 1 or 2"),
        ({"owner": "me"}, "`owner` is the string 'me': send a UUID"),
        ({"source": {"type": "local", "path": 1}}, "`source.path` is 1: send a string"),
        (
            {"source": {"type": "other"}},
            '`source` is an object: send an object whose `type` is "local" (fields: path) or an object whose',
        ),
        (
            {"code": "A"},
            "`code` is the string 'A': send a string in the form that GET /openapi.json describes",
        ),
        (
            {"windows": [{"start": 1, "end": 2}, {"start": 2, "end": 1}]},
            "`windows[1]`: `end` is before `start`: ",
        ),
        (
            {"windows": [{"start": 1, "end": 2}] * 3},
            "`windows` is an array of 3 items: send an array (at most 2 items) in which each item is an",
        ),
        ({"ports": {"80": 5}}, "`ports.80` is 5: send a whole number (a multiple of 10)"),
        (
            {"ports": {"http": 10}},
            "`ports` is an object: send an object in which each name is a whole number and",
        ),
        ({"labels": ["a", None]}, "`labels[1]` is null: send a string"),
    ],
    ids=str,
)
def test_a_plugins_own_body_types_have_such_messages_too(body: dict[str, Any], message: str) -> None:
    assert message_of(msgspec.json.encode(body), Own).startswith(message)


JUNK: list[Any] = [
    None,
    True,
    -1,
    1.5,
    1e300,
    10**30,
    "",
    "\0",
    "x" * 5000,
    [],
    [None],
    [{}],
    [[]],
    {},
    {"a": None},
]
BODIES: set[type[Struct]] = {row.body.type for row in OPERATIONS if isinstance(row.body, JsonBody)} | {
    Rule,
    Own,
}


def rejection(body: dict[str, Any], kind: type[Struct]) -> str | None:
    try:
        decode_json(msgspec.json.encode(body), kind)
    except InvalidArguments as error:
        return error.message
    return None


@pytest.mark.parametrize("kind", sorted(BODIES, key=repr))
def test_whatever_is_wrong_clients_read_no_words_of_a_library(kind: type[Struct]) -> None:
    bodies: list[dict[str, Any]] = [{name: junk} for name in kind.__struct_encode_fields__ for junk in JUNK]
    messages = list(filter(None, [rejection(body, kind) for body in bodies]))
    assert messages
    for message in messages:
        assert not FOREIGN.search(message)
        assert re.search(r"`[^`]+`|is not a ", message), message
        assert "given only once" not in message
        assert len(message) < 400
