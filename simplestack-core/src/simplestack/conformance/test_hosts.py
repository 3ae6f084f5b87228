"""Hosts."""

from simplestack.conformance.client import Client
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives


@drives("host_list", "host_info")
def test_each_host_of_the_list_can_be_shown(client: Client) -> None:
    hosts = client.do("host_list")
    assert hosts, "a target has at least one host"
    for host in hosts:
        assert host["name"]
        assert host["address"]
        assert client.do("host_info", host["id"]) == host


@drives("host_list", "guest_start")
def test_a_running_guest_names_a_host_of_the_list(kit: Kit, client: Client) -> None:
    guest = kit.make(client)
    client.do("power_guest", guest["id"], body={"state": "start"})
    names = [host["name"] for host in client.do("host_list")]
    assert client.do("guest_info", guest["id"])["host"] in names
