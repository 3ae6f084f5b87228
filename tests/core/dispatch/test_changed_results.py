"""Results that a service plugin changes in place are checked like those that it makes."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from simplestack import Export, Guest, GuestState, Network, PermissionDenied, Pool
from simplestack.dispatch.results import WrongResult
from support.dispatching import Hypervisor, Session


def guest_list(session: Session) -> list[Guest]:
    return [Guest(id=str(n), name="n", cpus=1, memory=1, hdd=1, state=GuestState.STOPPED) for n in range(2)]


def network_list(session: Session) -> list[Network]:
    return [Network(id="1", name_label="n", other_config={})]


def pool_info(session: Session) -> Pool:
    return Pool(id="1", uuid="1", master="m", used_memory=1, total_memory=1, software_info={"version": "1"})


def tag_list(session: Session, guest_id: str) -> list[str]:
    return ["web"]


def changed(hook: str, change: Callable[[Any], object], **arguments: Any) -> Any:
    """Return the result of a hook that the inner one of two service plugins has changed."""

    def inner() -> Iterator[Any]:
        result = yield
        change(result)
        return result

    def operation_call() -> Iterator[Any]:
        return (yield)

    inner.__name__ = operation_call.__name__
    hooks = (guest_list, network_list, pool_info, tag_list)
    return Hypervisor(*hooks, services=(inner, operation_call)).call(hook, **arguments)


@pytest.mark.parametrize(
    ("hook", "change", "fault"),
    [
        ("guest_list", lambda guests: guests.append(None), r"\[2\]: expected `Guest`, got `NoneType`"),
        ("guest_list", lambda guests: guests.__setitem__(1, "text"), r"\[1\]: expected `Guest`, got `str`"),
        (
            "network_list",
            lambda networks: networks[0].other_config.update(a=1),
            r"\[0\].other_config\[...\]: expected `str`, got `int`",
        ),
        ("pool_info", lambda pool: pool.software_info.update(version=1), "expected `str`, got `int`"),
        ("tag_list", lambda tags: tags.append(7), r"\[1\]: expected `str`, got `int`"),
    ],
)
def test_a_wrong_change_is_the_service_plugins_defect(
    hook: str, change: Callable[[Any], object], fault: str
) -> None:
    arguments: dict[str, dict[str, Any]] = {
        "guest_list": {"fields": frozenset()},
        "tag_list": {"guest_id": "1"},
    }
    with pytest.raises(WrongResult, match=f"^service plugin 'service-0': {hook} returned .*{fault}"):
        changed(hook, change, **arguments.get(hook, {}))


def test_a_right_change_is_returned() -> None:
    guests = changed("guest_list", lambda guests: guests.pop(0), fields=frozenset())
    assert [guest.id for guest in guests] == ["1"]
    assert changed("tag_list", lambda tags: tags.append("db"), guest_id="1") == ["web", "db"]
    assert changed("pool_info", lambda pool: pool.software_info.clear()).software_info == {}


def test_the_list_that_a_service_plugin_makes_is_held_to_what_the_next_one_returns() -> None:
    def inner() -> Generator[None, Any, Any]:
        return [*(yield)]

    def operation_call() -> Generator[None, Any, Any]:
        result = yield
        result.append(None)
        return result

    inner.__name__ = operation_call.__name__
    with pytest.raises(WrongResult, match=r"^service plugin 'service-1': guest_list returned .*\[2\]"):
        Hypervisor(guest_list, services=(inner, operation_call)).call("guest_list", fields=frozenset())


def test_a_service_plugin_that_forgets_the_result_is_told_how_to_end() -> None:
    def forgets() -> Generator[None, Any, Any]:
        yield

    def mistakes() -> Generator[None, Any, Any]:
        yield
        return "text"

    forgets.__name__ = mistakes.__name__ = "operation_call"
    with pytest.raises(WrongResult, match=r"'service-0' \(end its wrapper with `return \(yield\)`\): "):
        Hypervisor(guest_list, services=(forgets,)).call("guest_list", fields=frozenset())
    with pytest.raises(WrongResult, match="'service-0': guest_list returned str"):
        Hypervisor(guest_list, services=(mistakes,)).call("guest_list", fields=frozenset())


def test_an_export_that_a_service_plugin_loses_is_closed_before_the_next_one_goes_on() -> None:
    counts: list[int] = []

    def guest_export(session: Session, guest_id: str) -> Export:
        return Export(iter([b"old"]))

    def loses() -> Generator[None, Any, Any]:
        yield
        return "text"

    def rescues() -> Generator[None, Any, Any]:
        try:
            return (yield)
        except WrongResult:
            counts.append(hypervisor.counts["busy_sessions"])
            return Export(iter([b"new"]))

    loses.__name__ = rescues.__name__ = "operation_call"
    hypervisor = Hypervisor(guest_export, services=(loses, rescues))
    assert list(hypervisor.call("guest_export", guest_id="1").chunks) == [b"new"]
    assert counts == [0]


@pytest.mark.parametrize("is_right", [True, False])
def test_an_export_that_a_service_plugin_replaces_gives_its_session_back(is_right: bool) -> None:
    ends: list[str] = []

    class Chunks:
        def __init__(self, name: str) -> None:
            self._name = name

        def __iter__(self) -> Iterator[bytes]:
            return iter([self._name.encode()])

        def close(self) -> None:
            ends.append(self._name)

    def guest_export(session: Session, guest_id: str) -> Export:
        return Export(Chunks("old"))  # type: ignore[arg-type]  # an iterable will do

    def operation_call() -> Generator[None, Any, Any]:
        yield
        return Export(Chunks("new"), 3 if is_right else -1)  # type: ignore[arg-type]  # as above

    hypervisor = Hypervisor(guest_export, services=(operation_call,))
    if is_right:
        export = hypervisor.call("guest_export", guest_id="1")
        assert (ends, export.size) == ([], 3)
        assert list(export.chunks) == [b"new"]
    else:
        with pytest.raises(WrongResult, match="size"):
            hypervisor.call("guest_export", guest_id="1")
    assert sorted(ends) == ["new", "old"]
    assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}


def test_exports_that_a_service_plugin_replaces_are_closed_where_the_next_one_fails() -> None:
    ends: list[str] = []

    class Chunks:
        def __init__(self, name: str) -> None:
            self._name = name

        def __iter__(self) -> Iterator[bytes]:
            return iter([b"one"])

        def close(self) -> None:
            ends.append(self._name)

    def guest_export(session: Session, guest_id: str) -> Export:
        return Export(Chunks("old"))  # type: ignore[arg-type]  # an iterable will do

    def replaces() -> Generator[None, Any, Any]:
        yield
        return Export(Chunks("new"))  # type: ignore[arg-type]  # as above

    def fails() -> Generator[None, Any, Any]:
        yield
        raise PermissionDenied("no")

    replaces.__name__ = fails.__name__ = "operation_call"
    hypervisor = Hypervisor(guest_export, services=(replaces, fails))
    with pytest.raises(PermissionDenied):
        hypervisor.call("guest_export", guest_id="1")
    assert sorted(ends) == ["new", "old"]
    assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}
