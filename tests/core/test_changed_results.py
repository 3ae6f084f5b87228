"""Results that a service plugin changes in place are checked like those that it makes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simplestack import Guest, GuestState, Network, Pool
from simplestack.operations.results import WrongResult
from support.dispatching import Hypervisor, Session


def guest_list(session: Session) -> list[Guest]:
    return [Guest(id=str(n), name="n", cpus=1, memory=1, hdd=1, state=GuestState.STOPPED) for n in range(2)]


def network_list(session: Session) -> list[Network]:
    return [Network(id="1", name_label="n", other_config={})]


def pool_info(session: Session) -> Pool:
    return Pool(id="1", uuid="1", master="m", used_memory=1, total_memory=1, software_info={"version": "1"})


def tag_list(session: Session, guest_id: str) -> list[str]:
    return ["web"]


def changed(hook: str, change: Callable[[Any], object], **arguments: str) -> Any:
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
    arguments = {"guest_id": "1"} if hook == "tag_list" else {}
    with pytest.raises(WrongResult, match=f"^service plugin 'service-0': {hook} returned .*{fault}"):
        changed(hook, change, **arguments)


def test_a_right_change_is_returned() -> None:
    assert [guest.id for guest in changed("guest_list", lambda guests: guests.pop(0))] == ["1"]
    assert changed("tag_list", lambda tags: tags.append("db"), guest_id="1") == ["web", "db"]
    assert changed("pool_info", lambda pool: pool.software_info.clear()).software_info == {}
