"""Operations that fail half-way: every step is undone, and the error names those that could not be."""

import logging

import pytest

from simplestack import (
    UNKNOWN_OUTCOME,
    Conflict,
    EntityNotFound,
    HypervisorError,
    InvalidState,
    SimplestackError,
    Undo,
)


class LabError(Exception):
    """An SDK's own error."""


class LabUndo(Undo):
    """Undo of a plugin whose SDK has errors of its own."""

    def translate(self, error: Exception) -> SimplestackError | None:
        return HypervisorError(f"the lab refused: {error}", 7) if isinstance(error, LabError) else None


class AnyUndo(Undo):
    """Undo of a plugin that takes every error for one of its SDK."""

    def translate(self, error: Exception) -> SimplestackError | None:
        return HypervisorError(f"the lab refused: {error}")


class Steps:
    """Steps that fail in order, and how often each was run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, name: str, *failures: Exception) -> None:
        attempt = self.ran.count(name)
        self.ran.append(name)
        if attempt < len(failures):
            raise failures[attempt]


@pytest.fixture
def steps() -> Steps:
    return Steps()


def unknown() -> HypervisorError:
    return HypervisorError("the connection broke", UNKNOWN_OUTCOME)


def fail(undo: Undo, error: BaseException) -> None:
    with undo:
        raise error


def test_nothing_is_undone_without_an_error(steps: Steps) -> None:
    with Undo() as undo:
        undo.do("removing it", steps.run, "remove")
    assert steps.ran == []


def test_all_is_undone_last_first_and_the_error_is_the_first_one_itself(steps: Steps) -> None:
    undo, error = Undo(), ZeroDivisionError()
    for name in ("first", "second"):
        undo.do(name, steps.run, name=name)
    with pytest.raises(ZeroDivisionError) as raised:
        fail(undo, error)
    assert raised.value is error
    assert raised.value.__cause__ is None
    assert steps.ran == ["second", "first"]


def test_steps_that_fail_keep_no_other_from_being_run_and_are_named(steps: Steps) -> None:
    undo = Undo()
    undo.do("removing the machine", steps.run, "machine", Conflict("it is in use"))
    undo.do("removing the network", steps.run, "network")
    undo.do("removing the disk", steps.run, "disk", ZeroDivisionError("secret"))
    error = InvalidState("start guest 'web'", "PAUSED", "STOPPED")
    with pytest.raises(InvalidState) as raised:
        fail(undo, error)
    assert steps.ran == ["disk", "network", "machine"]
    assert raised.value is error
    assert raised.value.message == (
        "cannot start guest 'web' while it is PAUSED: it must be STOPPED; removing the disk failed, too; "
        "removing the machine failed, too"
    )
    assert raised.value.details == {"current": "PAUSED", "needed": "STOPPED"}


def test_an_error_of_the_sdk_is_translated_if_it_has_to_name_something(steps: Steps) -> None:
    undo, error = LabUndo(), LabError("no such network")
    undo.do("removing the machine", steps.run, "machine", LabError("busy"))
    with pytest.raises(HypervisorError) as raised:
        fail(undo, error)
    assert raised.value.message == "the lab refused: no such network; removing the machine failed, too"
    assert raised.value.details == {"code": 7}
    assert raised.value.__cause__ is error
    untouched = LabError("no such network")
    with pytest.raises(LabError) as same:
        fail(LabUndo(), untouched)
    assert same.value is untouched


def test_a_defect_stays_one_and_the_log_names_what_is_left(
    steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    undo, error = Undo(), ZeroDivisionError()
    undo.do("removing the machine", steps.run, "machine", Conflict("it is in use"))
    with pytest.raises(ZeroDivisionError) as raised:
        fail(undo, error)
    assert raised.value is error
    assert "removing the machine failed while undoing a failed operation: it is in use" in caplog.text
    assert "not undone after a failure: removing the machine failed, too" in caplog.text


@pytest.mark.parametrize("undo", [LabUndo(), AnyUndo()])
def test_what_ends_a_program_undoes_too_and_goes_on(steps: Steps, undo: Undo) -> None:
    undo.do("removing the machine", steps.run, "machine", LabError("busy"))
    with pytest.raises(KeyboardInterrupt):
        fail(undo, KeyboardInterrupt())
    assert steps.ran == ["machine"]


def test_a_defect_in_a_step_is_logged_with_its_place(steps: Steps, caplog: pytest.LogCaptureFixture) -> None:
    undo = Undo()
    undo.do("removing the machine", steps.run, "machine", ZeroDivisionError())
    undo.do("removing the disk", steps.run, "disk", Conflict("it is in use"))
    with pytest.raises(Conflict):
        fail(undo, Conflict("no"))
    with_place = [record.getMessage().split(" failed")[0] for record in caplog.records if record.exc_info]
    assert with_place == ["removing the machine"]
    assert all(record.levelno == logging.WARNING for record in caplog.records)


@pytest.mark.parametrize("then", [None, EntityNotFound("Disk", "1")], ids=["again", "gone"])
def test_a_repeatable_step_is_run_again_if_nobody_knows_whether_it_took_effect(
    steps: Steps, then: Exception | None
) -> None:
    undo = Undo()
    undo.do_repeatable("removing the disk", steps.run, "disk", unknown(), *[then] if then else [])
    with pytest.raises(Conflict, match=r"^no$"):
        fail(undo, Conflict("no"))
    assert steps.ran == ["disk", "disk"]


@pytest.mark.parametrize(
    ("failures", "times"),
    [((unknown(), unknown()), 2), ((HypervisorError("no", "OTHER"),), 1), ((ZeroDivisionError(),), 1)],
)
def test_a_repeatable_step_is_repeated_once_and_only_then(
    steps: Steps, failures: tuple[Exception, ...], times: int
) -> None:
    undo = Undo()
    undo.do_repeatable("removing the disk", steps.run, "disk", *failures)
    with pytest.raises(Conflict, match=r"^no; removing the disk failed, too$"):
        fail(undo, Conflict("no"))
    assert steps.ran == ["disk"] * times


def test_an_error_that_clients_read_is_not_translated_again(steps: Steps) -> None:
    undo = AnyUndo()
    undo.do("removing the machine", steps.run, "machine", LabError("busy"))
    with pytest.raises(Conflict, match=r"^no; removing the machine failed, too$"):
        fail(undo, Conflict("no"))


def test_a_defect_in_a_repeatable_step_is_logged_as_it_is(
    steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    undo = Undo()
    undo.do_repeatable("removing the disk", steps.run, "disk", ZeroDivisionError("by nothing"))
    with pytest.raises(Conflict):
        fail(undo, Conflict("no"))
    assert "removing the disk failed while undoing a failed operation: by nothing" in caplog.text


@pytest.mark.parametrize("failure", [unknown(), EntityNotFound("Guest", "1")], ids=["unknown", "gone"])
def test_a_step_of_several_changes_is_never_repeated_nor_taken_for_done(
    steps: Steps, failure: Exception
) -> None:
    """Its first change may have removed the guest, and its second one not the disks."""
    undo = Undo()
    undo.do("removing the guest with its disks", steps.run, "guest", failure)
    with pytest.raises(Conflict, match=r"^no; removing the guest with its disks failed, too$"):
        fail(undo, Conflict("no"))
    assert steps.ran == ["guest"]
