"""Requests as clients of first-generation Simplestack send them: guests by name, `[datastore] path`."""

from pathlib import Path

from support.service import running_service, token
from support.vsphere import PASSWORD, Host


def test_guests_are_changed_by_their_names(vcenter: Host, tmp_path: Path) -> None:
    with running_service(tmp_path, vcenter.toml) as service:
        service.default_headers["X-Simplestack-Hypervisor-Token"] = token(vcenter.user, PASSWORD)
        service.default_headers["X-Simplestack-Token"] = "TODO"
        service.default_headers["Content-Type"] = "application/json"
        base = f"/vmware/{vcenter.name}/guests/vm-1"
        change = {"memory": 2048, "cpus": 4, "hdd": 12, "paravirtualized": True}
        changed = service.request("PUT", base, change)
        assert changed.status == 200, changed
        assert change.items() <= changed.json.items()
        shrunk = service.request("PUT", base, {"hdd": 11})
        assert (shrunk.status, shrunk.error) == (400, "InvalidArguments")
        media = f"{base}/media_device"
        for name in ("[isos] debian-12.iso", "", "[isos] guest-tools.iso", None):
            answer = service.request("PUT", media, {"name": name})
            assert answer.status == 204, answer
            assert service.get(media).json == {"name": name or None}
        missing = service.request("PUT", media, {"name": "[isos] nowhere.iso"})
        assert (missing.status, missing.error) == (404, "EntityNotFound")
        for state, shown in (("start", "STARTED"), ("pause", "PAUSED"), ("resume", "STARTED")):
            power = service.request("PUT", f"{base}/power", {"state": state})
            assert power.json == {"action": state, "message": "ok"}
            assert service.get(base).json["state"] == shown
        hot = service.request("PUT", base, {"memory": 4096})
        assert (hot.status, hot.error) == (409, "InvalidState")
        renamed = service.request("PUT", base, {"name": "vm-0"})
        assert (renamed.status, renamed.error) == (409, "Conflict")
        assert service.request("PUT", base, {"name": "web"}).json["name"] == "web"
        assert service.get(f"/vmware/{vcenter.name}/guests/web").json["id"] == changed.json["id"]
        assert service.stop() == 0
    assert vcenter.simulator.sessions.all() == []
