"""`GET /metrics`: what is counted, and who may read it."""

from pathlib import Path

import pytest

from simplestack.identity.tokens import new_token, token_hash
from support.distributions import install
from support.metrics import samples, total, wait_for_total
from support.service import Service, running_service, token

REQUESTS = "simplestack_requests_total"
DURATIONS = "simplestack_request_duration_seconds_count"
#: Whatever imports it gets the error of a package that is not there.
MISSING = "raise ModuleNotFoundError('No module named prometheus_client')"
#: It imports prometheus-client when it is loaded, before the workers are forked.
COUNTING = """
from prometheus_client import Counter

counter = Counter("counting_calls", "Calls that the plugin has seen.", ["operation"])

@hookimpl(wrapper=True)
def operation_call(operation):
    result = yield
    counter.labels(operation).inc()
    return result

plugin = ServicePlugin(name="counting", title="Counting", make=lambda settings: me)
"""


def test_requests_are_counted_by_operation_hypervisor_and_status(service: Service) -> None:
    guest = service.post(
        "/mock/count/guests", {"name": "counted", "memory": 64, "disks": [{"size": 1}]}
    ).json["id"]
    before = samples(service)
    for _ in range(2):
        service.get("/mock/count/guests")
    assert service.get("/mock/count/guests/nobody").status == 404
    assert service.get(f"/mock/count/guests/{guest}/export").status == 200
    assert service.post("/mock/count/guests", {"memroy": 1}).status == 400
    for operation, status, count in (
        ("guest_list", "200", 2),
        ("guest_info", "404", 1),
        ("guest_export", "200", 1),
        ("guest_create", "400", 1),
    ):
        labels = {"operation": operation, "hypervisor": "mock"}
        wait_for_total(
            service,
            total(before, REQUESTS, **labels, status=status) + count,
            REQUESTS,
            **labels,
            status=status,
        )
        wait_for_total(service, total(before, DURATIONS, **labels) + count, DURATIONS, **labels)


def test_pages_and_requests_that_are_rejected_early_are_counted_without_a_hypervisor(
    service: Service,
) -> None:
    before = samples(service)
    service.get("/healthz")
    service.get("/mock/count/guests", headers={"X-Simplestack-Hypervisor-Token": None})
    service.raw(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n")
    after = samples(service)
    for operation, status in (("health_info", "200"), ("guest_list", "401"), ("", "431")):
        labels = {"operation": operation, "hypervisor": "", "status": status}
        assert total(after, REQUESTS, **labels) == total(before, REQUESTS, **labels) + 1, labels


def test_no_user_name_and_no_host_is_in_them(service: Service) -> None:
    login = token("zaphod", "beeblebrox")
    assert (
        service.get("/mock/heart-of-gold/guests", headers={"X-Simplestack-Hypervisor-Token": login}).status
        == 200
    )
    text = service.get("/metrics").body
    for word in (b"zaphod", b"beeblebrox", b"heart-of-gold", login.encode()):
        assert word not in text


@pytest.mark.parametrize("with_hosts", ["false", "true"])
def test_no_client_can_create_label_values(tmp_path: Path, with_hosts: str) -> None:
    config = (
        f"[server]\nworkers = 1\nmetrics_hosts = {with_hosts}\n[hypervisors.mock]\nallowed_hosts = ['demo']\n"
    )
    with running_service(tmp_path, config) as service:

        def attack(word: str) -> None:
            for path in (
                f"/{word}",
                f"/{word}/demo/guests",
                f"/mock/{word}/guests",
                f"/mock/{word}.example:99/guests",
                f"/mock/demo/{word}",
                f"/mock/demo/guests/{word}",
                f"/mock/demo/guests?{word}=1",
                f"/docs/{word}",
                f"/_{word}/page",
                f"//{word}",
            ):
                assert service.get(path).status in (400, 403, 404), path
                service.request(word.upper(), path)
                service.get(path, headers={"X-Simplestack-Hypervisor-Token": token(word)})
                service.get(path, headers={"X-Simplestack-Hypervisor-Token": word, "Host": word})
            service.raw(f"{word} {word} {word}\r\n\r\n".encode())

        service.get("/mock/demo/guests")
        attack("first")
        samples(service)  # its own line is there from now on
        before = samples(service).keys()
        hosts = {value for _, labels in before for name, value in labels if name == "host"}
        assert hosts == ({"demo", ""} if with_hosts == "true" else set())
        for number in range(5):
            attack(f"evil{number}")
        assert samples(service).keys() == before
        assert "evil" not in service.get("/metrics").body.decode()


def test_hosts_are_shown_if_the_settings_say_so(tmp_path: Path) -> None:
    with running_service(tmp_path, "[server]\nworkers = 1\nmetrics_hosts = true\n") as service:
        service.get("/mock/alpha/guests")
        service.get("/mock/beta:99/guests")
        found = samples(service)
        for host in ("alpha", "beta:99"):
            labels = {"hypervisor": "mock", "host": host}
            assert total(found, REQUESTS, **labels, operation="guest_list") == 1
            states = {
                dict(values)["state"]: value
                for (name, values), value in found.items()
                if name == "simplestack_sessions" and labels.items() <= dict(values).items()
            }
            assert states == {"connecting": 0, "busy": 0, "idle": 1, "ending": 0}
            assert total(found, "simplestack_logins_total", **labels, outcome="ok") == 1


def test_they_need_a_service_token_unless_a_setting_opens_them(tmp_path: Path) -> None:
    made = new_token()
    tokens = f"[server.tokens]\nclient = '{token_hash(made)}'\n"
    with running_service(tmp_path / "closed", f"[server]\nworkers = 1\n{tokens}") as service:
        assert service.get("/metrics").error == "Unauthorized"
        assert service.get("/mock/demo/guests", headers={"Authorization": "Bearer wrong"}).status == 401
        found = samples(service, Authorization=f"Bearer {made}")
        assert total(found, "simplestack_rejected_service_tokens_total") == 2
        document = service.get("/openapi.json", headers={"Authorization": f"Bearer {made}"}).json
        assert document["paths"]["/metrics"]["get"]["security"][0] == {"service_token": []}
    with running_service(tmp_path / "open", f"[server]\nmetrics_need_token = false\n{tokens}") as service:
        assert total(samples(service), "simplestack_workers") > 0
        assert service.get("/mock/demo/guests").status == 401
        document = service.get("/openapi.json", headers={"Authorization": f"Bearer {made}"}).json
        assert document["paths"]["/metrics"]["get"]["security"] == []


def test_a_client_that_prefers_openmetrics_gets_it(service: Service) -> None:
    plain = service.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    preferred = service.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert preferred.headers["content-type"].startswith("application/openmetrics-text")
    assert preferred.body.endswith(b"# EOF\n")
    assert service.get("/metrics?name=x").error == "InvalidArguments"


def test_metrics_of_service_plugins_are_shown_too(tmp_path: Path, plugins: Path) -> None:
    install(plugins, "counting", COUNTING, "simplestack.services")
    with running_service(tmp_path, "[server]\nworkers = 2\n", plugins=plugins) as service:
        for _ in range(10):
            assert service.get("/mock/demo/guests").status == 200
        found = samples(service)
        assert total(found, "counting_calls_total", operation="guest_list") == 10
        assert total(found, REQUESTS, operation="guest_list") == 10


def test_without_prometheus_client_the_page_says_what_to_install(tmp_path: Path, plugins: Path) -> None:
    (plugins / "prometheus_client.py").write_text(MISSING)
    with running_service(tmp_path, plugins=plugins) as service:
        response = service.get("/metrics")
        assert (response.status, response.error) == (501, "NotImplementedError")
        assert "pip install prometheus-client" in response.json["message"]
        assert service.get("/mock/demo/guests").status == 200
        service.raw(b"GET\r\n\r\n")
        assert service.get("/readyz").status == 200
