"""Messages by name: how they are written, and which of them may be sent twice."""

import pytest

from simplestack_xen.xapi.messages import Messages, is_read, is_repeatable
from simplestack_xen.xapi.session import XenSession
from support.xapi import Pool

from .conftest import Order


def test_a_message_is_sent_by_the_name_that_it_is_written_with() -> None:
    sent: list[tuple[object, ...]] = []
    messages = Messages(lambda *arguments, **options: sent.append((*arguments, options)))
    messages.VM.add_tags("ref", "web")
    getattr(messages, "VIF").set_MTU("ref", 1500, limit_seconds=1)  # noqa: B009  as generic callers write it
    assert sent == [("VM.add_tags", "ref", "web", {}), ("VIF.set_MTU", "ref", 1500, {"limit_seconds": 1})]
    assert str(messages.VM.add_tags) == "VM.add_tags"


@pytest.mark.parametrize("message", ["VM.get_record", "VM.get_all_records", "VM.get_by_uuid", "event.from"])
def test_a_read_may_be_sent_twice(message: str) -> None:
    assert is_read(message)
    assert is_repeatable(message)


@pytest.mark.parametrize(
    "message",
    ["VM.set_name_label", "VM.add_tags", "VM.remove_tags", "VM.remove_from_other_config", "task.destroy"],
)
def test_a_change_that_has_no_further_effect_may_be_sent_twice(message: str) -> None:
    assert not is_read(message)
    assert is_repeatable(message)


@pytest.mark.parametrize(
    "message",
    [
        "session.login_with_password",
        "VM.create",
        "VM.clone",
        "VM.destroy",
        "VM.add_to_other_config",
        "VM.set_is_a_template",
        "Async.VM.start",
        "Async.VM.set_memory_limits",
        "Async.VM.get_record",
        "task.create",
    ],
)
def test_what_makes_ends_or_begins_something_is_sent_once(message: str) -> None:
    assert not is_read(message)
    assert not is_repeatable(message)


def test_a_tag_whose_connection_breaks_is_put_on_after_all(
    pool: Pool, session: XenSession, order: Order
) -> None:
    order(pool, "VM.add_tags", effect="drop after")
    session.xenapi.VM.add_tags(pool.vm().ref, "web")
    assert pool.vm()["tags"] == ["web"]
    assert pool.simulator.counts["VM.add_tags"] == 2
