"""Errors that all plugins phrase alike, from one place."""

from simplestack import Conflict


def test_a_name_that_is_taken() -> None:
    message = Conflict.of_name("network", "dmz").message
    assert message == "another network has the name 'dmz': choose another name"


def test_a_mac_address_that_is_taken_names_the_guest_that_has_it() -> None:
    message = Conflict.of_mac("52:54:00:00:00:01", "web").message
    assert message == "guest 'web' already has an interface 52:54:00:00:00:01: choose another MAC address"


def test_a_vlan_that_is_taken_names_the_network_that_uses_it() -> None:
    message = Conflict.of_vlan(7, "dmz").message
    assert message == "network 'dmz' already uses VLAN 7: use this network, or another `vlan`"
