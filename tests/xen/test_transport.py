"""What the SDK sends and reads through: XML-RPC as XAPI has it, from hosts that can be trusted and others."""

import gc
from typing import Any

import pytest

from simplestack import HypervisorError, HypervisorUnavailable, InvalidArguments
from simplestack_xen.xapi import transport
from simplestack_xen.xapi.session import XenSession
from support.peers import Response
from support.xapi import PASSWORD, Pool

from .conftest import Order

ANSWER = "<methodResponse><params><param><value>{}</value></param></params></methodResponse>"
SUCCESS = (
    "<struct><member><name>Status</name><value>Success</value></member>"
    "<member><name>Value</name><value>{}</value></member></struct>"
)
FAILURE = (
    "<struct><member><name>Status</name><value>Failure</value></member>"
    "<member><name>ErrorDescription</name><value>{}</value></member></struct>"
)


def read(value: str) -> Any:
    text = ANSWER.format(value).encode()
    return transport.read_response(Response(text))  # type: ignore[arg-type]  # as far as it looks


def xml(value: str) -> Any:
    (answer,) = read(SUCCESS.format(value))
    return answer["Value"]


def test_all_types_of_xml_rpc_are_read() -> None:
    assert xml("plain &amp; <nil/>") is None
    assert xml("plain &lt;text&gt; ü") == "plain <text> ü"
    assert xml("<string>text</string>") == "text"
    assert xml("<string/>") == ""
    assert xml("") == ""
    assert xml("<int>7</int>") == xml("<i4>7</i4>") == 7
    assert xml("<double>0.5</double>") == 0.5
    assert xml("<boolean>1</boolean>") is True
    assert xml("<dateTime.iso8601>20260101T00:00:00Z</dateTime.iso8601>") == "20260101T00:00:00Z"
    assert xml("<array><data><value>a</value><value><array><data/></array></value></data></array>") == [
        "a",
        [],
    ]
    assert xml("<struct/>") == {}
    inner = "<struct><member><name>x</name><value/></member></struct>"
    member = f"<member><name> k </name><value>\n {inner}</value></member>"
    assert xml(f"<struct>{member}</struct>") == {" k ": {"x": ""}}


def test_a_text_that_is_longer_than_what_is_read_at_once_is_one_text() -> None:
    text = "ü" * transport._PIECE_BYTES
    assert xml(text) == text


def test_a_refusal_is_read_as_the_sdk_reads_it() -> None:
    reasons = "<array><data><value>SR_FULL</value><value>2</value></data></array>"
    assert read(FAILURE.format(reasons)) == ({"Status": "Failure", "ErrorDescription": ["SR_FULL", "2"]},)


#: What a host may send that does not mean well.
HOSTILE = {
    "a number of 5,000 digits": SUCCESS.format(f"<int>{'9' * 5000}</int>"),
    "a number that is none": SUCCESS.format("<int>x</int>"),
    "a decimal that is none": SUCCESS.format("<bigdecimal>x</bigdecimal>"),
    "a boolean that is none": SUCCESS.format("<boolean>x</boolean>"),
    "bytes that are none": SUCCESS.format("<base64>x</base64>"),
    "a name for a struct's names": SUCCESS.format(
        "<struct><member><value><struct/></value><value/></member></struct>"
    ),
    "a name without a value": SUCCESS.format("<struct><member><name>x</name></member></struct>"),
    "nothing to end": SUCCESS.format("</value></member></struct><struct>"),
    "an unknown type": SUCCESS.format("<text>x</text>"),
    "two answers": SUCCESS.format("") + "</value><value>" + SUCCESS.format(""),
    "no status": "<struct/>",
    "another status": SUCCESS.replace("Success", "Perhaps"),
    "a result without a value": SUCCESS.replace("Value", "value"),
    "a refusal that says nothing": FAILURE.format("<array><data/></array>"),
    "a refusal that is a text": FAILURE.format("SR_FULL"),
    "a refusal of numbers": FAILURE.format("<array><data><value><int>1</int></value></data></array>"),
    "a list in place of an answer": "<array><data/></array>",
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_no_answer_of_xapis_is_an_error_of_the_hypervisor(hostile: str) -> None:
    with pytest.raises(HypervisorError, match=r"XAPI returned (invalid )?XML-RPC") as failed:
        read(HOSTILE[hostile])
    assert "999" not in failed.value.message


@pytest.mark.parametrize(
    ("code", "text"), [("401", "You must log in"), ("x", "y")], ids=["as the SDK's own", "odd"]
)
def test_a_fault_is_not_taken_for_one_of_the_sdks_own(code: str, text: str) -> None:
    value = (
        f"<struct><member><name>faultCode</name><value><string>{code}</string></value></member>"
        f"<member><name>faultString</name><value>{text}</value></member></struct>"
    )
    fault = f"<methodResponse><fault><value>{value}</value></fault></methodResponse>".encode()
    with pytest.raises(HypervisorError, match="XAPI returned invalid XML-RPC"):
        transport.read_response(Response(fault))  # type: ignore[arg-type]  # as far as it looks


def test_a_value_in_ten_thousand_others_is_read_without_running_out_of_stack() -> None:
    depth = 10_000
    deep = "<array><data><value>" * depth + "</value></data></array>" * depth
    value = xml(deep)
    for _ in range(depth):
        (value,) = value
    assert value == ""


#: A gigabyte, if anybody wrote it out.
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {name} "{f"&{below};" * 10}">'
        for below, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    + "]>"
    + ANSWER.format(SUCCESS.format("&j;"))
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "<!DOCTYPE x>" + ANSWER.format(SUCCESS.format("")),
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
    ],
    ids=["entities in entities", "an empty one", "a file"],
)
def test_a_document_type_is_not_read(text: str) -> None:
    with pytest.raises(HypervisorError, match="document type"):
        transport.read_response(Response(text.encode()))  # type: ignore[arg-type]  # as far as it looks


def test_what_was_read_is_freed_with_its_last_user_and_not_when_garbage_is_collected() -> None:
    """Of a long list that would be many megabytes, which the worker would keep until then."""
    members = "<member><name>uuid</name><value>u</value></member>"
    gc.collect()
    gc.disable()
    try:
        assert xml(f"<struct>{members}</struct>") == {"uuid": "u"}
        with pytest.raises(HypervisorError):
            xml("<struct>")
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_integers_are_written_as_text_and_booleans_are_not() -> None:
    values = (2**40, True, 0.5, {"a": 2}, [3, "x"], (4,))
    assert [transport.xml_value(value) for value in values] == [
        str(2**40),
        True,
        0.5,
        {"a": "2"},
        ["3", "x"],
        ["4"],
    ]


@pytest.mark.parametrize("value", ["\x01", ["\ufffe"], {"a": "\ud800"}, {"\uffff": "a"}])
def test_a_character_that_xml_cannot_carry_is_refused_wherever_it_is(value: object) -> None:
    with pytest.raises(InvalidArguments, match=r"U\+"):
        transport.xml_value(value)


def test_the_sdk_keeps_no_password_and_logs_in_once(pool: Pool, session: XenSession, order: Order) -> None:
    sdk = session.api._sdk
    assert (sdk.last_login_method, sdk.last_login_params) == (None, None)
    assert PASSWORD not in repr(vars(sdk)) + repr(vars(session.api))
    order(pool, "VM.add_tags", code="SESSION_INVALID", parameters=["OpaqueRef:x"])
    with pytest.raises(HypervisorUnavailable, match="XAPI ended the session before"):
        session.xenapi.VM.add_tags(pool.vm().ref, "web")
    assert pool.simulator.counts["session.login_with_password"] == 1
    assert pool.simulator.counts["VM.add_tags"] == 1
