"""What a plugin lets through, as the client gets it."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from simplestack import EntityNotFound, Export, OperationNotSupported, SimplestackError
from simplestack.dispatch.plugin_errors import PluginExit
from simplestack.sessions.time_limits import Deadline, call_within
from support.dispatching import Hypervisor, Session
from support.threads import in_threads

T = TypeVar("T")


def error_of(error: BaseException, **description: Any) -> BaseException:
    """Return what a call ends with when its hook raises `error`."""

    def host_list(session: Session) -> list[Any]:
        raise error

    with pytest.raises(BaseException) as caught:  # noqa: PT011  any: the tests look at it
        Hypervisor(host_list, **description).call("host_list")
    return caught.value


def within_seconds(limit_seconds: float, call: Callable[[], T]) -> T:
    """Call something that may hang, in a thread that is abandoned then."""
    return call_within(Deadline(limit_seconds), call, lambda: lambda _result, _error: None)


def never(_error: Exception) -> SimplestackError | None:
    return SimplestackError("translate was asked")


def test_an_error_of_simplestack_stays_as_it_is() -> None:
    error = EntityNotFound("Pool", "1")
    assert error_of(error, translate=never) is error
    assert error.__cause__ is None


@pytest.mark.parametrize(
    ("text", "message"), [("no tags", "no tags"), ("", "the hypervisor does not support this")]
)
def test_what_a_hook_does_not_implement_is_not_supported(text: str, message: str) -> None:
    found = error_of(NotImplementedError(text), translate=never)
    assert isinstance(found, OperationNotSupported)
    assert found.message == message


def test_the_text_of_an_error_may_be_missing() -> None:
    class Odd(NotImplementedError):
        def __str__(self) -> str:
            raise SystemExit(1)

    found = error_of(Odd(), translate=never)
    assert isinstance(found, OperationNotSupported)
    assert found.message == "the hypervisor does not support this"


@pytest.mark.parametrize("enforces", [True, False])
@pytest.mark.parametrize("place", ["host_list", "connect"])
def test_an_error_is_translated_once(place: str, enforces: bool) -> None:
    asked: list[BaseException] = []
    error = KeyError("1")

    def fail(*_: Any) -> Any:
        raise error

    description: dict[str, Any] = {"connect": fail} if place == "connect" else {}
    assert error_of(error, translate=asked.append, enforces_time_limits=enforces, **description) is error
    assert asked == [error]


def test_an_error_of_an_sdk_is_translated_by_its_plugin() -> None:
    error, known = KeyError("1"), EntityNotFound("Pool", "1")
    found = error_of(error, translate=lambda raised: known if raised is error else None)
    assert found is known
    assert found.__cause__ is error


def test_an_error_that_the_plugin_does_not_know_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    error = KeyError("1")
    assert error_of(error, translate=lambda _error: None) is error
    assert error.__cause__ is None
    assert caplog.text == "", "the plugin made no mistake"


@pytest.mark.parametrize("other", ["text", KeyError("another")])
def test_a_translation_that_is_no_error_of_simplestack_is_ignored(
    other: Any, caplog: pytest.LogCaptureFixture
) -> None:
    error = KeyError("1")
    assert error_of(error, translate=lambda _error: other) is error
    assert f"plugin 'lab': its translate returned {type(other).__name__}" in caplog.text


@pytest.mark.parametrize("raised", [KeyError("of its own"), SystemExit(1)])
def test_a_translation_that_fails_is_logged_and_ignored(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def translate(_error: Exception) -> None:
        raise raised

    error = KeyError("1")
    assert error_of(error, translate=translate) is error
    assert "plugin 'lab': its translate failed" in caplog.text


@pytest.mark.parametrize("enforces", [True, False])
def test_a_plugin_that_exits_ends_its_call_alone(enforces: bool) -> None:
    error = SystemExit(3)
    found = error_of(error, translate=never, enforces_time_limits=enforces)
    assert isinstance(found, PluginExit)
    assert str(found) == "plugin 'lab' raised SystemExit, which would have ended the worker"
    assert found.__cause__ is error


def test_ctrl_c_ends_a_script_but_no_thread_of_the_service() -> None:
    assert isinstance(error_of(KeyboardInterrupt(), enforces_time_limits=True), KeyboardInterrupt)
    with in_threads(1) as start:
        found = start(error_of, KeyboardInterrupt(), enforces_time_limits=True).result()
    assert isinstance(found, PluginExit)


def test_a_service_plugin_that_exits_ends_its_call_alone() -> None:
    error = SystemExit(3)

    def operation_call(operation: str) -> Iterator[Any]:
        raise error
        yield

    found = error_of(KeyError("not reached"), services=(operation_call,))
    assert isinstance(found, PluginExit)
    assert str(found) == "a service plugin raised SystemExit, which would have ended the worker"
    assert found.__cause__ is error


def test_ctrl_c_in_a_service_plugin_ends_a_script() -> None:
    error = KeyboardInterrupt()

    def operation_call(operation: str) -> Iterator[Any]:
        raise error
        yield

    assert error_of(KeyError("not reached"), services=(operation_call,)) is error
    assert error.__cause__ is None


def test_an_error_that_a_plugin_raises_from_itself_ends_its_call() -> None:
    def host_list(session: Session) -> list[Any]:
        error = EntityNotFound("Pool", "1")
        raise error from error

    with pytest.raises(EntityNotFound):
        within_seconds(10, lambda: Hypervisor(host_list).call("host_list"))


@pytest.mark.parametrize("hook", ["host_list", "guest_export", "connect"])
def test_a_translation_that_the_error_was_raised_from_ends_its_call(hook: str) -> None:
    def fail(*_: Any) -> Any:
        known = EntityNotFound("Pool", "1")
        raise KeyError("an SDK's") from known

    def host_list(session: Session) -> Any:
        return fail()

    def guest_export(session: Session, guest_id: str) -> Export:
        return Export(fail() for _ in range(1))

    def call() -> None:
        description: dict[str, Any] = {"connect": fail} if hook == "connect" else {}
        hypervisor = Hypervisor(
            host_list, guest_export, translate=lambda error: error.__cause__, **description
        )
        if hook == "guest_export":
            list(hypervisor.call(hook, guest_id="1").chunks)
        else:
            hypervisor.call("host_list")

    with pytest.raises(EntityNotFound):
        within_seconds(10, call)
