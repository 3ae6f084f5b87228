"""What plugins return is checked before clients see it: the log names plugin, hook, place and types."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.distributions import install
from support.service import Answer, Service, running_service

#: A plugin that returns what the host's name, the key of RESULTS, stands for.
PLUGIN = """
import enum, math, uuid
from typing import TYPE_CHECKING, Annotated
from msgspec import Meta, Struct, UNSET, UnsetType
from msgspec.structs import replace
if TYPE_CHECKING:
    from nowhere import Unknown

class Text(str):
    pass

class Extra(Struct):
    cores: int
    load: float = 0.0

class Own(Guest, frozen=True, kw_only=True):
    racks: list[str] = []
    extra: Extra | None = None
    known_to_type_checkers: "Unknown | None" = None
    maybe: int | UnsetType = UNSET
    share: float | None = None
    load: float | str = 0.0

    def __post_init__(self):
        made.append(self.id)
        assert made.count(self.id) < 2, "made twice"

class Renamed(Guest, frozen=True, kw_only=True, rename="camel", tag="renamed", omit_defaults=True):
    rack_name: str = "r"

class Measured(Guest, frozen=True, kw_only=True):
    share: Annotated[float, Meta(ge=0, description="of the host")] = 0.5
    maybe: float | UnsetType = UNSET
    loads: list[float] = []
    by_core: dict[str, float | None] = {}
    either: float | str = ""

class Retyped(Guest, frozen=True, kw_only=True):
    memory: str

class Listed(Guest, frozen=True, kw_only=True, array_like=True):
    pass

class Strict(Guest, frozen=True, kw_only=True):
    rack: str

made = []
good = dict(id="1", name="n", cpus=1, memory=64, hdd=1.5, state=GuestState.STARTED)

def guest(**changes):
    return Guest(**{**good, **changes})

def own(**changes):
    made.clear()
    return Own(**{**good, **changes})

RESULTS = {
    "memory": lambda: [guest(), guest(), guest(id="3", memory="classified")],
    "first": lambda: [guest(id=1), guest()],
    "bool": lambda: [guest(memory=True)],
    "none": lambda: [guest(name=None)],
    "bytes": lambda: [guest(name=b"classified")],
    "uuid": lambda: [guest(id=uuid.UUID(int=0))],
    "unset": lambda: [guest(host=UNSET)],
    "state": lambda: [guest(state="classified")],
    "nan": lambda: [guest(), guest(hdd=math.nan)],
    "infinite": lambda: [guest(hdd=math.inf)],
    "item": lambda: [guest(), "classified"],
    "tuple": lambda: (guest(),),
    "nothing": lambda: None,
    "id-empty": lambda: [guest(), guest(id="")],
    "id-dot": lambda: [guest(id=".")],
    "id-dots": lambda: [guest(id="..")],
    "id-control": lambda: [guest(), guest(), guest(id="a\\nb")],
    "id-delete": lambda: [guest(id="a\\x7f")],
    "own-list": lambda: [own(racks=["a", 7])],
    "own-extra": lambda: [own(extra=Extra(cores="classified"))],
    "own-object": lambda: [own(extra=object())],
    "own-unset": lambda: [own(racks=UNSET)],
    "own-maybe": lambda: [own(maybe="classified")],
    "own-inherited": lambda: [own(memory="classified")],
    "own-id": lambda: [own(id="..")],
    "own-nan": lambda: [own(hdd=math.nan)],
    "own-share": lambda: [own(share=math.inf)],
    "nan-share": lambda: [Measured(**good, share=math.inf)],
    "nan-maybe": lambda: [Measured(**good, maybe=math.nan)],
    "nan-loads": lambda: [Measured(**good), Measured(**good, loads=[1.0, math.nan])],
    "nan-by-core": lambda: [Measured(**good, by_core={"0": math.nan})],
    "nan-either": lambda: [Measured(**good, either=math.nan)],
    "nan-extra": lambda: [own(extra=Extra(cores=1, load=math.nan))],
    "nan-unknown": lambda: [own(known_to_type_checkers=[{"a": math.inf}])],
    "right-measured": lambda: [Measured(**good, loads=[1.5], by_core={"0": None}), Measured(**good, maybe=1)],
    "retyped": lambda: [Retyped(**good | {"memory": "classified"})],
    "listed": lambda: [guest(), Listed(**good)],
    "mixed": lambda: [guest(), own(), guest(cpus="classified")],
    "right": lambda: [guest(hdd=2), guest(ip="10.0.0.1", paravirtualized=True)],
    "right-empty": lambda: [],
    "right-own": lambda: [own(racks=["a"], share=0.5, load="high", extra=Extra(cores=2), maybe=1)],
    "right-mixed": lambda: [guest(), own()],
    "right-renamed": lambda: [Renamed(**good)],
    "right-value": lambda: [guest(state="STARTED")],
    "right-text": lambda: [guest(name=Text("derived"), memory=type("Number", (int,), {})(3))],
    "right-id": lambda: [guest(id="..."), guest(id="ü/ %"), guest(id="1:2")],
}

@hookimpl
def guest_list(session):
    return RESULTS[session]()

@hookimpl
def guest_info(session, guest_id):
    (found, *_) = RESULTS[session]()
    return found

@hookimpl
def guest_update(session, guest_id) -> Strict:
    return guest()

@hookimpl
def guest_delete(session, guest_id):
    return "classified"

@hookimpl
def tag_list(session, guest_id):
    return {"right": [Text("web")], "tags": ["web", 7], "bytes": [b"classified"]}[session]

@hookimpl
def network_info(session, network_id):
    return Network(id="1", name_label="n", other_config={"a": 1})

@hookimpl
def network_interface_list(session, guest_id):
    mac = "52:54:00:00:00:01"
    return [NetworkInterface(id=mac, number="0", mac=mac, network=None, active=True, ipv4_allowed=[7])]

@hookimpl
def media_info(session, guest_id):
    return Media(name=7)

class Chunks:
    def __init__(self, *chunks):
        self.chunks = chunks
    def __iter__(self):
        return iter(self.chunks)
    def close(self):
        print("chunks closed", file=sys.stderr, flush=True)

@hookimpl
def guest_export(session, guest_id):
    return {
        "no-export": lambda: b"classified",
        "no-chunks": lambda: Export(7),
        "text-chunks": lambda: Export("classified"),
        "text-chunk": lambda: Export(iter(["classified"])),
        "size-text": lambda: Export(Chunks(b"a"), "1"),
        "size-negative": lambda: Export(Chunks(b"a"), -1),
        "size-bool": lambda: Export(Chunks(b"a"), True),
        "right": lambda: Export(Chunks(b"ab", b"", b"c"), 3),
        "right-list": lambda: Export([b"ab", b"c"], 3),
    }[session]()

plugin = HypervisorPlugin(name="odd", title="Odd", connect=lambda t, c, s: t.name,
                          disconnect=lambda s: None, hooks=(me,), settings=HypervisorSettings)
"""
ITEM = "list with a wrong item: "
CHUNKS = "Export with a wrong field: chunks: expected an iterator of `bytes`"
SIZE = "Export with a wrong field: size: expected `int` >= 0 or `None`"
ID = "expected text that is not empty, `.` or `..`, without control characters"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("odd")
    install(folder / "plugins", "odd", PLUGIN)
    with running_service(folder / "service", plugins=folder / "plugins") as service:
        yield service


def check_defect(service: Service, answer: Answer, fault: str) -> None:
    """Check that a response is a 500 without details, which are in the log, and that the audit says so."""
    identity = answer.headers["x-request-id"]
    assert (answer.status, answer.error) == (500, "InternalError"), answer
    assert f"WrongResult: plugin 'odd': {fault}\n" in service.log.partition(f"request {identity} failed")[2]
    assert service.audit_of(identity)["outcome"] == "InternalError"
    assert "classified" not in service.log
    assert service.get("/healthz").json["busy_sessions"] == 0


@pytest.mark.parametrize(
    ("host", "fault"),
    [
        ("memory", "[2].memory: expected `int | null`, got `str`"),
        ("first", "[0].id: expected `str`, got `int`"),
        ("bool", "[0].memory: expected `int | null`, got `bool`"),
        ("none", "[0].name: expected `str`, got `null`"),
        ("bytes", "[0].name: expected `str`, got `bytes`"),
        ("uuid", "[0].id: expected `str`, got `uuid`"),
        ("unset", "[0].host: expected `str | null`, got `msgspec.UnsetType`"),
        ("state", "[0].state: invalid enum value"),
        ("nan", "[1].hdd: expected a finite number"),
        ("infinite", "[0].hdd: expected a finite number"),
        ("item", "[1]: expected `Guest`, got `str`"),
        ("id-empty", f"[1].id: {ID}"),
        ("id-dot", f"[0].id: {ID}"),
        ("id-dots", f"[0].id: {ID}"),
        ("id-control", f"[2].id: {ID}"),
        ("id-delete", f"[0].id: {ID}"),
        ("own-list", "[0].racks[1]: expected `str`, got `int`"),
        ("own-extra", "[0].extra.cores: expected `int`, got `str`"),
        ("own-object", "[0].extra: `object` cannot be written as JSON"),
        ("own-unset", "[0]: object missing required field `racks`"),
        ("own-maybe", "[0].maybe: expected `int`, got `str`"),
        ("own-inherited", "[0].memory: expected `int | null`, got `str`"),
        ("own-id", f"[0].id: {ID}"),
        ("own-share", "[0].share: expected a finite number"),
        ("own-nan", "[0].hdd: expected a finite number"),
        ("nan-share", "[0].share: expected a finite number"),
        ("nan-maybe", "[0].maybe: expected a finite number"),
        ("nan-loads", "[1].loads: expected finite numbers"),
        ("nan-by-core", "[0].by_core: expected finite numbers"),
        ("nan-either", "[0].either: expected finite numbers"),
        ("nan-extra", "[0].extra: expected finite numbers"),
        ("nan-unknown", "[0].known_to_type_checkers: expected finite numbers"),
        ("retyped", "[0].memory: expected `int | null`, got `str`"),
        ("listed", "[1]: Listed is array_like, expected an object"),
        ("mixed", "[2].cpus: expected `int | null`, got `str`"),
    ],
)
def test_a_wrong_list_is_500_and_the_log_names_index_field_and_types(
    odd: Service, host: str, fault: str
) -> None:
    check_defect(odd, odd.get(f"/odd/{host}/guests"), f"guest_list returned {ITEM}{fault}")


@pytest.mark.parametrize(
    ("host", "fault"),
    [
        ("first", "Guest with a wrong field: id: expected `str`, got `int`"),
        ("state", "Guest with a wrong field: state: invalid enum value"),
        ("infinite", "Guest with a wrong field: hdd: expected a finite number"),
        ("id-dots", f"Guest with a wrong field: id: {ID}"),
        ("own-list", "Own with a wrong field: racks[1]: expected `str`, got `int`"),
        ("retyped", "Retyped with a wrong field: memory: expected `int | null`, got `str`"),
        ("own-extra", "Own with a wrong field: extra.cores: expected `int`, got `str`"),
    ],
)
def test_a_wrong_entity_is_500_and_the_log_names_field_and_types(odd: Service, host: str, fault: str) -> None:
    check_defect(odd, odd.get(f"/odd/{host}/guests/1"), f"guest_info returned {fault}")


@pytest.mark.parametrize(
    ("method", "path", "hook", "fault"),
    [
        ("PUT", "right/guests/1", "guest_update", "Guest, expected Strict"),
        ("DELETE", "right/guests/1", "guest_delete", "str, expected None"),
        ("GET", "tuple/guests", "guest_list", "tuple, expected list[Guest]"),
        ("GET", "nothing/guests", "guest_list", "NoneType, expected list[Guest]"),
        ("GET", "tags/guests/1/tags", "tag_list", f"{ITEM}[1]: expected `str`, got `int`"),
        ("GET", "bytes/guests/1/tags", "tag_list", f"{ITEM}[0]: expected `str`, got `bytes`"),
        (
            *("GET", "right/networks/1", "network_info"),
            "Network with a wrong field: other_config[...]: expected `str`, got `int`",
        ),
        (
            *("GET", "right/guests/1/network_interfaces", "network_interface_list"),
            f"{ITEM}[0].ipv4_allowed[0]: expected `str`, got `int`",
        ),
        (
            *("GET", "right/guests/1/media_device", "media_info"),
            "Media with a wrong field: name: expected `str | null`, got `int`",
        ),
        ("GET", "no-export/guests/1/export", "guest_export", "bytes, expected Export"),
        ("GET", "no-chunks/guests/1/export", "guest_export", f"{CHUNKS}, got `int`"),
        ("GET", "text-chunks/guests/1/export", "guest_export", f"{CHUNKS}, got `str`"),
        ("GET", "size-text/guests/1/export", "guest_export", f"{SIZE}, got `str`"),
        ("GET", "size-negative/guests/1/export", "guest_export", f"{SIZE}, got a negative one"),
        ("GET", "size-bool/guests/1/export", "guest_export", f"{SIZE}, got `bool`"),
    ],
)
def test_every_other_kind_of_result_is_checked_too(
    odd: Service, method: str, path: str, hook: str, fault: str
) -> None:
    answer = odd.request(method, f"/odd/{path}", {} if method == "PUT" else None)
    check_defect(odd, answer, f"{hook} returned {fault}")


def test_the_chunks_of_an_export_that_is_rejected_are_closed(odd: Service) -> None:
    before = odd.log.count("chunks closed")
    assert odd.get("/odd/size-negative/guests/1/export").status == 500
    assert odd.log.count("chunks closed") == before + 1


def test_a_first_chunk_that_is_no_bytes_is_500(odd: Service) -> None:
    answer = odd.get("/odd/text-chunk/guests/1/export")
    assert (answer.status, answer.error) == (500, "InternalError")
    assert "a chunk of an export is `str`, expected `bytes`" in odd.log
    assert odd.audit_of(answer.headers["x-request-id"])["outcome"] == "InternalError"


def shown(service: Service, host: str) -> Any:
    answer = service.get(f"/odd/{host}/guests")
    assert answer.status == 200, (answer, service.log[-3000:])
    return answer.json


def test_right_results_are_shown_whatever_their_classes(odd: Service) -> None:
    assert [(item["hdd"], item["ip"]) for item in shown(odd, "right")] == [(2, None), (1.5, "10.0.0.1")]
    assert shown(odd, "right-empty") == []
    (own,) = shown(odd, "right-own")
    assert (own["racks"], own["extra"], own["maybe"]) == (["a"], {"cores": 2, "load": 0.0}, 1)
    assert [item["loads"] for item in shown(odd, "right-measured")] == [[1.5], []]
    guest, own = shown(odd, "right-mixed")
    assert own.items() > guest.items()
    assert "maybe" not in own
    assert shown(odd, "right-renamed")[0]["type"] == "renamed"
    assert shown(odd, "right-value")[0]["state"] == "STARTED"
    assert [(item["name"], item["memory"]) for item in shown(odd, "right-text")] == [("derived", 3)]
    assert [item["id"] for item in shown(odd, "right-id")] == ["...", "ü/ %", "1:2"]
    assert odd.get("/odd/right/guests/1").json["id"] == "1"
    assert odd.get("/odd/right/guests/1/tags").json == ["web"]


@pytest.mark.parametrize("host", ["right", "right-list"])
def test_the_chunks_of_an_export_may_be_of_any_iterable(odd: Service, host: str) -> None:
    answer = odd.get(f"/odd/{host}/guests/1/export")
    assert (answer.status, answer.body) == (200, b"abc")
