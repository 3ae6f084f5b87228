"""Data for cloud-init over HTTP: what a service and its pool show of it."""

from pathlib import Path
from urllib.parse import unquote

from support.service import running_service, token
from support.xapi import PASSWORD, USER, Pool

from .cloud_init_guests import SECRET, secrets_in
from .conftest import Order

HEADERS = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
CONFIG = "[server]\nlog_level = 'debug'\ntrace_hooks = true\n"


def test_a_service_shows_the_data_nowhere_whatever_fails(pool: Pool, tmp_path: Path, order: Order) -> None:
    body = {"memory": 256, "user_data": f"a: {SECRET}", "network_config": f"b: {SECRET}"}
    base = f"/xen/{pool.host}/guests"
    with running_service(tmp_path, CONFIG + pool.toml) as service:
        made = service.post(base, body | {"name": "web"}, headers=HEADERS)
        guest = f"{base}/{made.json['id']}"
        copy = service.post(
            f"{guest}/clone", {"name": "copy", "user_data": body["user_data"]}, headers=HEADERS
        )
        answers = [made, copy]
        answers += [service.get(f"{guest}{path}", headers=HEADERS) for path in ("", "/disks", "/snapshots")]
        assert [answer.status for answer in answers] == [201, 201, 200, 200, 200]
        for message in ("VDI.create", "import_raw_vdi", "VBD.create", "VM.add_to_other_config"):
            order(pool, message, code="INTERNAL_ERROR", parameters=["it broke"])
            answers.append(service.post(base, body | {"name": "never"}, headers=HEADERS))
            assert (answers[-1].status, answers[-1].error) == (502, "HypervisorError")
        order(pool, "import_raw_vdi", code="RBAC_PERMISSION_DENIED", parameters=["http/put_import_raw_vdi"])
        answers.append(service.post(base, body | {"name": "never"}, headers=HEADERS))
        order(pool, "VDI.create", code="SR_BACKEND_FAILURE_44", parameters=["", "no space", ""])
        answers.append(service.post(base, body | {"name": "never"}, headers=HEADERS))
        pv = body | {"name": "never", "firmware": "uefi", "paravirtualized": True}
        answers.append(service.post(base, pv, headers=HEADERS))
        assert [answer.status for answer in answers[-3:]] == [403, 507, 501]
        image = service.get(f"{guest}/export", headers=HEADERS)
        assert "data for cloud-init" in unquote(image.headers["x-simplestack-warning"])
        service.stop()
        for text in (service.log, service.audit_path.read_text(), *(repr(answer.body) for answer in answers)):
            assert SECRET not in text
    assert secrets_in(pool) == ["web cloud-init", "copy cloud-init"]
    assert [vm["name_label"] for vm in pool.all("VM")].count("never") == 0
