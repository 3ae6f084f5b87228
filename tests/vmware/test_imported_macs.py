"""MAC addresses in images that are imported: a guest keeps those that no other guest has."""

import pytest

from simplestack.appliances import ApplianceInterface
from simplestack_vmware.hooks.interfaces import network_interface_list
from simulators.vsphere.nfc_server import NfcServer
from support.vsphere import Host

from .conftest import Connect
from .copied import MANUAL, choose_mac
from .interference import before_call
from .uploads import FIRST, described, disk, load, packed

OTHER_MANUAL = "52:54:00:00:00:02"


def test_a_guest_keeps_a_mac_address_unless_another_has_it(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    session = log_in(with_leases)
    macs = ["52:54:00:00:00:01", "52:54:00:00:00:01", "00:0c:29:01:02:03", None]
    cards = tuple(ApplianceInterface(network="VM Network", mac=mac, model="vmxnet3") for mac in macs)
    image = packed(described(disk(1, FIRST), interfaces=cards), disks)
    made = load(session, image)
    found = [each.mac for each in network_interface_list(session, made.id)]
    assert found[0] == macs[0]
    assert len(set(found)) == 4
    assert macs[2] not in found
    assert "new MAC address" in caplog.text
    again = load(session, image)
    assert not {each.mac for each in network_interface_list(session, again.id)} & set(found)


@pytest.mark.parametrize("is_started", [True, False])
def test_a_mac_address_that_another_guest_gets_meanwhile_is_changed(
    host: Host,
    leases: NfcServer,
    log_in: Connect,
    disks: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
    *,
    is_started: bool,
) -> None:
    """Such as the other of two imports of one image at once."""
    session = log_in(host)
    cards = tuple(
        ApplianceInterface(network="VM Network", mac=mac, model="vmxnet3") for mac in (MANUAL, OTHER_MANUAL)
    )
    image = packed(described(disk(1, FIRST), interfaces=cards), disks)
    before_call(host, "HttpNfcLeaseComplete", lambda: choose_mac(host, "vm-1"))
    made = load(session, image, start=is_started)
    first, second = [each.mac for each in network_interface_list(session, made.id)]
    assert first not in (MANUAL, OTHER_MANUAL)
    assert second == OTHER_MANUAL
    assert f"others have {MANUAL}" in caplog.text
