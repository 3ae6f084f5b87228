"""Addresses as XAPI writes them, and hosts of before JSON-RPC."""

import socket

import pytest

from simplestack import Conflict, NetworkInterfaceUpdate
from simplestack_xen.hooks.interfaces import network_interface_info, network_interface_update
from simplestack_xen.session import connect
from simplestack_xen.xapi.addresses import in_url
from simplestack_xen.xapi.records import VmRecord
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.database import Object
from support.peers import answer, peer, read_request
from support.xapi import Pool, Trust

from .test_connection import LOGGED_IN, ROOT, at, settings


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("10.0.0.2", "10.0.0.2"),
        ("xen-2.example", "xen-2.example"),
        ("10.0.0.2:8443", "10.0.0.2:8443"),
        ("fd00::2", "[fd00::2]"),
        ("[fd00::2]", "[fd00::2]"),
        ("[fd00::2]:8443", "[fd00::2]:8443"),
        ("2001:db8:0:0:0:0:0:2", "[2001:db8:0:0:0:0:0:2]"),
    ],
)
def test_ipv6_is_written_without_brackets(written: str, expected: str) -> None:
    """In HOST_IS_SLAVE; and older XAPIs in `Location`, too."""
    assert in_url(written) == expected


@pytest.mark.parametrize("content_type", ["text/xml", "text/html; charset=utf-8"])
def test_a_host_that_answers_json_with_something_else_is_asked_by_xml_rpc(
    trust: Trust, content_type: str
) -> None:
    """XAPI takes what comes to a path that it does not know for XML-RPC."""
    value = "<struct><member><name>uuid</name><value>u</value></member></struct>"
    record = (
        "<?xml version='1.0'?><methodResponse><params><param><value><struct><member><name>Status</name>"
        "<value>Success</value></member><member><name>Value</name><value>"
        f"{value}</value></member></struct></value></param></params></methodResponse>"
    ).encode()

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(LOGGED_IN)
        while True:
            is_json = read_request(connection).startswith(b"{")
            connection.sendall(answer(b"<html>what?</html>", content_type) if is_json else answer(record))

    with peer(script, trust) as port:
        session = connect(at(port), ROOT, settings(trust))
        for _ in range(2):
            assert session.api.read(VmRecord, "VM.get_record", "r").uuid == "u"
        session.api._client.close()


def test_an_address_that_two_interfaces_of_a_guest_have_is_a_conflict(
    pool: Pool, session: XenSession, guest: str
) -> None:
    """XAPI allows that in two networks; a change to the wrong one would be worse than none."""
    (first,) = [found for found in pool.all("VIF") if found["VM"] == pool.vm().ref]
    values = {name: first[name] for name in first.class_.fields if name != "uuid"} | {"device": "1"}
    second: Object = pool.simulator.database.add("VIF", values)
    pool.vm()["VIFs"] = [first.ref, second.ref]
    with pytest.raises(Conflict, match="several"):
        network_interface_info(session, guest, first["MAC"])
    with pytest.raises(Conflict, match="several"):
        network_interface_update(session, guest, first["MAC"], NetworkInterfaceUpdate(active=False))
