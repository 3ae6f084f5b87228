"""The network interfaces of imported appliances: what they keep, what they get, and what clients are told."""

from simplestack import Guest, GuestImport
from simplestack.appliances import ApplianceInterface
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.interfaces import network_interface_list
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .appliances import appliance, ova
from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .uploads import load


def interfaces(session: KvmSession, guest: Guest) -> list[tuple[object, ...]]:
    return [
        (each.network, each.active, each.ratelimit, each.locking_mode, each.ipv4_allowed)
        for each in network_interface_list(session, guest.id)
    ]


def test_interfaces_keep_their_addresses_models_limits_and_locks(
    session: KvmSession, libvirtd: Libvirtd, other_network: str
) -> None:
    described = appliance(
        interfaces=(
            ApplianceInterface(network=libvirtd.network, mac="52:54:00:ab:cd:01", model="e1000"),
            ApplianceInterface(
                network=other_network,
                mac="52:54:00:ab:cd:02",
                model="virtio",
                active=False,
                ratelimit=8_192_000,
                locking_mode="locked",
                ipv4_allowed=("10.0.0.7", "10.0.0.8"),
            ),
            ApplianceInterface(network=other_network, mac="52:54:00:ab:cd:03", locking_mode="disabled"),
        )
    )
    made = load(session, libvirtd, ova(described, {}), None)
    assert interfaces(session, made) == [
        (libvirtd.network, True, None, "network_default", []),
        (other_network, False, 8_192_000, "locked", ["10.0.0.7", "10.0.0.8"]),
        (other_network, True, None, "disabled", []),
    ]
    assert [each.id for each in network_interface_list(session, made.id)] == [
        each.mac for each in described.interfaces
    ]
    document = parse_document(session.connection.lookupByUUIDString(made.id).XMLDesc())
    models = [model.get("type") for model in document.iterfind("devices/interface/model")]
    assert models == ["e1000", "virtio", "virtio"]
    guest_delete(session, made.id)


def test_locks_that_the_query_leaves_out_are_a_warning(
    session: KvmSession, libvirtd: Libvirtd, warnings: list[str]
) -> None:
    plain, *locked = (
        ApplianceInterface(network="elsewhere"),
        ApplianceInterface(network="elsewhere", locking_mode="locked", ipv4_allowed=("10.0.0.7", "10.0.0.8")),
        ApplianceInterface(network="elsewhere", locking_mode="locked"),
        ApplianceInterface(network="elsewhere", locking_mode="disabled"),
    )
    wanted = GuestImport(network=[libvirtd.network])
    for described in ((plain,), (plain, *locked)):
        made = load(session, libvirtd, ova(appliance(interfaces=described), {}), wanted)
        assert interfaces(session, made) == [(libvirtd.network, True, None, "network_default", [])]
        guest_delete(session, made.id)
    (warning,) = warnings
    assert "locked (10.0.0.7, 10.0.0.8); locked (no addresses); disabled" in warning


def test_an_address_that_another_guest_has_is_replaced_with_a_warning(
    session: KvmSession, libvirtd: Libvirtd, warnings: list[str]
) -> None:
    taken = "52:54:00:ab:cd:ef"
    source = f"<source network='{libvirtd.network}'/>"
    device = f"<interface type='network'><mac address='{taken}'/>{source}</interface>"
    interface = ApplianceInterface(network=libvirtd.network, mac=taken)
    twice = ApplianceInterface(network=libvirtd.network, mac="52:54:00:ab:cd:11")
    with foreign(session.connection, device):
        body = ova(appliance(interfaces=(interface, twice, twice)), {})
        made = load(session, libvirtd, body, None)
        macs = [each.id for each in network_interface_list(session, made.id)]
        assert len(set(macs)) == 3
        assert taken not in macs
        assert macs[1] == twice.mac
        assert len([text for text in warnings if "another interface has it" in text]) == 2
        guest_delete(session, made.id)
