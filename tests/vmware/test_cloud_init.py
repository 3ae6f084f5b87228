"""Data for cloud-init: options of a VM, which are secret, and its own alone."""

import base64
import gzip
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from simplestack import CloudInit, InvalidArguments
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate, guest_create
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.guests.cloud_init import cloud_init_options
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.faults import Rule
from support.service import running_service, token
from support.vsphere import PASSWORD, Host

from .conftest import Connect
from .copied import options_of, set_options
from .created import made_vm

SECRET = "hunter2-is-secret"
DATA: dict[str, Any] = {
    "user_data": f"#cloud-config\npassword: {SECRET} \u00e9\n",
    "network_config": f"version: 2\nethernets: {{eth0: {{dhcp4: true}}}}  # {SECRET}\n",
    "hostname": "web-1.example.com",
    "ssh_keys": ["ssh-ed25519 AAAA one", "ssh-ed25519 BBBB \u00e9 two"],
}
EMPTY = VmwareGuestCreate(name="new", memory=192)


def decoded(text: str) -> str:
    return gzip.decompress(base64.b64decode(text)).decode()


def read(options: dict[str, str]) -> tuple[dict[str, Any], str | None]:
    """Return metadata and user data as cloud-init's data source VMware reads them."""
    metadata: dict[str, Any] = {}
    user_data = None
    if "guestinfo.metadata" in options:
        assert options["guestinfo.metadata.encoding"] == "gzip+base64"
        metadata = json.loads(decoded(options["guestinfo.metadata"]))
    if "guestinfo.userdata" in options:
        assert options["guestinfo.userdata.encoding"] == "gzip+base64"
        user_data = decoded(options["guestinfo.userdata"])
    if "network" in metadata:
        assert metadata.pop("network.encoding") == "gzip+base64"
        metadata["network"] = decoded(metadata["network"])
    return metadata, user_data


@pytest.mark.parametrize("template", [None, "debian-12"])
def test_a_guest_has_its_data_as_cloud_init_reads_it(
    vcenter: Host, session: VmwareSession, template: str | None
) -> None:
    guest = guest_create(session, replace(EMPTY, template=template, start=True, **DATA))
    metadata, user_data = read(options_of(made_vm(vcenter, guest)))
    assert user_data == DATA["user_data"]
    assert metadata == {
        "instance-id": guest.id,
        "local-hostname": DATA["hostname"],
        "public-keys-data": "\n".join(DATA["ssh_keys"]),
        "network": DATA["network_config"],
    }
    calls = vcenter.calls()
    assert calls["ReconfigVM_Task"] == 0, "the data comes with the guest, not after it"


@pytest.mark.parametrize("field", DATA)
def test_each_field_may_come_alone(host: Host, log_in: Connect, field: str) -> None:
    session = log_in(host)
    guest = guest_create(session, replace(EMPTY, **{field: DATA[field]}))
    metadata, user_data = read(options_of(made_vm(host, guest)))
    assert metadata["instance-id"] == guest.id
    assert (user_data is not None) == (field == "user_data")
    assert len(metadata) == (1 if field == "user_data" else 2)


def test_the_data_of_a_template_is_not_copied(vcenter: Host, session: VmwareSession) -> None:
    old = {"guestinfo__userdata": SECRET, "guestInfo__Metadata": SECRET, "guestinfo__other": SECRET}
    set_options(vcenter, "debian-12", **old)
    for number, data in enumerate(({}, {"hostname": "new"}, DATA)):
        wanted = replace(EMPTY, name=f"new-{number}", template="debian-12", **data)
        options = options_of(made_vm(vcenter, guest_create(session, wanted)))
        assert SECRET not in repr(options)
        expected = set() if not data else {"guestinfo.metadata", "guestinfo.metadata.encoding"}
        if "user_data" in data:
            expected |= {"guestinfo.userdata", "guestinfo.userdata.encoding"}
        assert {key for key in options if key.startswith("guestinfo.")} == expected
        if data:
            assert read(options)[0]["instance-id"]
        assert options["svga.present"] == "TRUE"
    kept = options_of(vcenter.vm("debian-12"))
    assert kept["guestinfo.userdata"] == SECRET


def test_data_that_a_guest_cannot_read_is_rejected_before_anything_is_created(
    vcenter: Host, session: VmwareSession
) -> None:
    # Text that cannot be compressed.
    noise = hashlib.shake_256(b"").digest(100_000).decode("utf-16", errors="ignore")
    noise = "".join(each for each in noise if each.isprintable())
    for field in ("user_data", "network_config"):
        with pytest.raises(InvalidArguments, match=f"`{field}`.*a guest of vSphere can read 64000") as caught:
            guest_create(session, replace(EMPTY, **{field: noise}))
        assert noise[:20] not in str(caught.value)
    assert vcenter.calls()["CreateVM_Task"] == 0
    assert cloud_init_options("id", CloudInit(user_data="a" * 65_536))


def test_the_data_is_in_no_log_and_no_message(
    vcenter: Host, session: VmwareSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vcenter.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="fail task", fault="InvalidState"))
    encoded = [str(option.value) for option in cloud_init_options("id", CloudInit(**DATA))]
    with pytest.raises(Fault) as failed:
        guest_create(session, replace(EMPTY, start=True, **DATA))
    assert SECRET not in repr(failed.value)
    guest_create(session, replace(EMPTY, **DATA))
    for text in (SECRET, *(value for value in encoded if len(value) > 20)):
        assert text not in caplog.text
    assert SECRET not in repr(replace(EMPTY, **DATA))


def test_the_data_is_in_no_response_log_and_trace(vcenter: Host, tmp_path: Path) -> None:
    settings = f'[server]\nlog_level = "debug"\ntrace_hooks = true\n{vcenter.toml}'
    with running_service(tmp_path, settings) as service:
        service.default_headers["X-Simplestack-Hypervisor-Token"] = token(vcenter.user, PASSWORD)
        base = f"/vmware/{vcenter.name}/guests"
        made = service.request("POST", base, {"name": "new", "memory": 192, **DATA})
        assert made.status == 201, made
        again = service.request("POST", base, {"name": "new", "memory": 192, **DATA})
        assert again.status == 409, again
        wrong = service.request("POST", base, {"name": "b", "memory": 192, "storage": "x", **DATA})
        assert wrong.status == 404, wrong
        assert service.stop() == 0
        assert len(service.audit) == 3
        for text in (service.log, service.audit_path.read_text(), repr((made, again, wrong))):
            assert SECRET not in text
        assert "guest_create" in service.log
