import pytest

from simplestack import GuestState, InvalidState, require_state

STARTED, STOPPED, PAUSED = GuestState.STARTED, GuestState.STOPPED, GuestState.PAUSED


def test_a_guest_in_one_of_the_states_needed_passes() -> None:
    require_state(STOPPED, STOPPED, attempt="start guest 'web'")
    require_state(PAUSED, STARTED, PAUSED, attempt="cut the power of guest 'web'")


def test_an_error_says_what_was_tried_which_state_the_guest_is_in_and_which_it_must_be_in() -> None:
    with pytest.raises(InvalidState) as raised:
        require_state(STARTED, STOPPED, attempt="delete guest 'web'")
    assert raised.value.message == "cannot delete guest 'web' while it is STARTED: it must be STOPPED"
    assert raised.value.details == {"current": "STARTED", "needed": "STOPPED"}


def test_an_error_names_all_states_that_would_do() -> None:
    with pytest.raises(InvalidState) as raised:
        require_state(STOPPED, STARTED, PAUSED, attempt="cut the power of guest 'web'")
    assert raised.value.message.endswith(" while it is STOPPED: it must be STARTED or PAUSED")
    assert raised.value.details == {"current": "STOPPED", "needed": "STARTED or PAUSED"}


def test_what_no_template_allows_is_an_error_of_its_own() -> None:
    error = InvalidState.of_template("start guest 'web'")
    assert error.message == (
        "cannot start guest 'web' while it is a template: it must be a guest again (update it with "
        "`template` false), or create a guest from it"
    )
    assert error.details["current"] == "TEMPLATE"
