"""``simplestack healthcheck`` beside a running service, and beside none."""

import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from simulators.tls import Trust, make_trust
from support.service import free_port, running_service, wait_for


def healthcheck(config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simplestack", "healthcheck", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )


def settings_file(folder: Path, bind: str, *lines: str) -> Path:
    file = folder / "healthcheck.toml"
    exposed = ['hypervisors = ["mock"]', "[hypervisors.mock]", 'allowed_hosts = ["demo"]']
    file.write_text("\n".join(["[server]", f'bind = "{bind}"', *lines, *exposed]))
    return file


def trusting(trust: Trust) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=trust.ca_file)


@contextlib.contextmanager
def running(config: Path) -> Iterator[None]:
    """Run a service that has no port."""
    command = [sys.executable, "-m", "simplestack", "serve", "--config", str(config), "--workers", "1"]
    environment = {**os.environ, "XDG_STATE_HOME": str(config.parent)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def test_a_service_that_runs_is_healthy(tmp_path: Path) -> None:
    with running_service(tmp_path / "service") as service:
        for bind in (f"127.0.0.1:{service.port}", f"localhost:{service.port}", f"0.0.0.0:{service.port}"):
            checked = healthcheck(settings_file(tmp_path, bind))
            assert (checked.returncode, checked.stdout) == (0, f"ok: {bind}\n"), checked.stderr


def test_a_service_with_tls_is_healthy_whatever_the_name_in_its_certificate(tmp_path: Path) -> None:
    trust = make_trust(tmp_path)
    pair = f'certificate = "{trust.certificate}"\nprivate_key = "{trust.certificate}"'
    with running_service(tmp_path / "service", f"[server]\n{pair}", tls=trusting(trust)) as service:
        checked = healthcheck(settings_file(tmp_path, f"127.0.0.1:{service.port}", pair))
        assert checked.returncode == 0, checked.stderr


def test_a_service_on_a_unix_socket_is_healthy(tmp_path: Path) -> None:
    config = settings_file(tmp_path, f"unix:{tmp_path}/service.sock")
    with running(config):
        wait_for(lambda: healthcheck(config).returncode == 0, what="the service on the socket")


def test_a_socket_that_is_handed_over_has_no_address_to_check(tmp_path: Path) -> None:
    checked = healthcheck(settings_file(tmp_path, "fd://3"))
    assert checked.returncode == 1
    assert "fd://3 is a socket of the service" in checked.stderr


def test_a_service_that_does_not_run_is_not_healthy(tmp_path: Path) -> None:
    bind = f"127.0.0.1:{free_port()}"
    checked = healthcheck(settings_file(tmp_path, bind))
    assert checked.returncode == 1
    assert checked.stderr.startswith(f"Error: no response from {bind}: ")


def test_a_port_of_something_else_is_not_healthy(tmp_path: Path) -> None:
    trust = make_trust(tmp_path)
    pair = f'[server]\ncertificate = "{trust.certificate}"\nprivate_key = "{trust.certificate}"'
    with running_service(tmp_path / "service", pair, tls=trusting(trust)) as service:
        checked = healthcheck(settings_file(tmp_path, f"127.0.0.1:{service.port}"))
        assert checked.returncode == 1
        assert "no response from" in checked.stderr
