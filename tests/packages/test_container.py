"""The Containerfile and the page on installing, on a fresh Debian: they work as they say."""

import http.client
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packages.containers import Podman, debian, podman_storage, require_podman
from packages.interpreters import ROOT
from support.service import free_port, token, wait_for

PAGE = (ROOT / "docs/install.md").read_text()
INSTALL, WHEELS, INSTALL_WHEELS, SYSTEMD, BUILD, RUN = re.findall(
    r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE
)
(CONSOLE,) = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
BOOT_SECONDS = 300
#: What containers can have on any machine: its own network, and limits that need no privileges.
HERE = ("--network=host", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


def get(port: int, path: str) -> str:
    """Return the body of a response with status 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"X-Simplestack-Hypervisor-Token": token()})
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()
    finally:
        connection.close()


def is_up(port: int) -> bool:
    try:
        return bool(get(port, "/healthz"))
    except OSError:
        return False


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    require_podman()
    with podman_storage() as podman:
        yield podman


@pytest.fixture(scope="module")
def base(podman: Podman) -> str:
    return debian(podman)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone has that the page and the Containerfile use, and some more."""
    made = shutil.ignore_patterns(".*", "dist", "_build", "__pycache__", "*.egg-info")
    copy = shutil.copytree(ROOT, tmp_path_factory.mktemp("clone") / "simplestack", ignore=made)
    shutil.copy(ROOT / ".dockerignore", copy)
    return copy


@pytest.fixture(scope="module", params=["", "kvm xen vmware"], ids=["core", "all"])
def image(request: pytest.FixtureRequest, podman: Podman, base: str, clone: Path) -> tuple[str, list[str]]:
    """The name of an image, and the plugins in it."""
    plugins: str = request.param
    command = shlex.split(BUILD)
    assert command[:2] == ["podman", "build"]
    assert command[-1] == "."
    command[command.index("PLUGINS=kvm xen vmware")] = f"PLUGINS={plugins}"
    name = f"localhost/{command[command.index('--tag') + 1]}:{len(plugins)}"
    options = ["--network=host", *podman.trust_options(), f"--build-arg=DEBIAN={base}", f"--tag={name}"]
    podman.run(*command[1:-1], *options, clone)
    return name, plugins.split()


def installed(podman: Podman) -> set[str]:
    """Return the hypervisors in the running container, whether its settings list them or not."""
    defaults = ["env", "--unset=SIMPLESTACK_SERVER__HYPERVISORS", "SIMPLESTACK_SERVER__BIND=127.0.0.1:8081"]
    listed = podman.run("exec", "simplestack", *defaults, "simplestack", "plugins").stdout
    names = re.findall(r"^(\w+) +simplestack-\w+ 2\.", listed, re.MULTILINE)
    return {name for name in names if name != "fault_injection"}


def test_the_image_does_not_serve_everybody_by_itself(podman: Podman, image: tuple[str, list[str]]) -> None:
    stopped = podman.run("run", "--rm", *HERE, image[0], check=False)
    assert stopped.returncode == 1
    assert "server.hypervisors is missing: to listen on 0.0.0.0:8081" in stopped.stderr


def test_a_container_serves_as_the_page_says_is_healthy_and_stops(
    podman: Podman, image: tuple[str, list[str]]
) -> None:
    command = shlex.split(RUN.replace("\\\n", ""))
    assert command[:2] == ["podman", "run"]
    assert command[-1] == "simplestack"
    name, plugins = image
    published = command.index("--publish")
    port = free_port()
    bind = [*HERE, f"--env=SIMPLESTACK_SERVER__BIND=0.0.0.0:{port}"]
    command[published : published + 2] = bind
    podman.run(*command[1:-1], name)
    try:
        wait_for(lambda: is_up(port), what="the service in the container")
        assert '"name":"web"' in get(port, "/mock/demo/guests")
        assert podman.run("healthcheck", "run", "simplestack").returncode == 0
        assert podman.run("exec", "simplestack", "id", "-u").stdout == "10001\n"
        assert installed(podman) == {"mock", *plugins}
        if "kvm" in plugins:
            loads = "from simplestack_kvm.sdk import libvirt; print(libvirt.getVersion())"
            assert int(podman.run("exec", "simplestack", "python", "-c", loads).stdout) >= 9_000_000
        podman.run("stop", "--time=30", "simplestack")
        exit_code = "{{.State.ExitCode}}"
        assert podman.run("inspect", f"--format={exit_code}", "simplestack").stdout == "0\n"
    finally:
        podman.run("rm", "--force", "--time=0", "simplestack", check=False)


@pytest.fixture
def machine(podman: Podman, base: str, clone: Path) -> Iterator[Callable[[str], str]]:
    """Boot a fresh Debian with a clone in it, and return a function that runs commands of root there."""
    name = "machine"
    privileges = ("--systemd=always", "--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined")
    options = ["--detach", f"--name={name}", *privileges, f"--volume={clone}:/mnt/clone:ro"]
    boot = "cp -r /mnt/clone /root/simplestack && exec /sbin/init"
    install = "apt-get update && apt-get install -y --no-install-recommends systemd-sysv"
    command = ["sh", "-c", f"{install} && {boot}"]
    podman.run("run", *options, *podman.trust_options(), *HERE, base, *command)

    def run(script: str) -> str:
        command = ["bash", "-euxc", f"cd /root/simplestack\n{script}"]
        return podman.run("exec", name, *command).stdout

    def has_booted() -> bool:
        state = podman.run("exec", name, "systemctl", "is-system-running", check=False).stdout
        return state in ("running\n", "degraded\n")

    try:
        wait_for(has_booted, BOOT_SECONDS, "systemd")
        yield run
    finally:
        podman.run("rm", "--force", "--time=0", name, check=False)


def test_the_commands_of_the_page_install_the_service_on_a_fresh_debian_and_run_it_under_systemd(
    machine: Callable[[str], str],
) -> None:
    machine(INSTALL)
    machine(f"{WHEELS}\nmv /opt/simplestack /opt/from-clone\n{INSTALL_WHEELS}")
    machine(SYSTEMD)
    check, *commands = re.findall(r"^# (.*)$", CONSOLE, re.MULTILINE)
    printed = re.search(r"^ok: .*$", CONSOLE, re.MULTILINE)
    assert printed is not None
    assert printed[0] in machine(check).splitlines()

    port = free_port()
    machine(f"echo '[server]\nbind = \"127.0.0.1:{port}\"' > /etc/simplestack/simplestack.toml")
    enable, reload, journal = commands
    machine(enable)
    wait_for(lambda: is_up(port), what="the service of systemd")
    assert "simplestack_requests" in get(port, "/metrics")
    assert '"name":"web"' in get(port, "/mock/demo/guests")  # its database can be written to
    machine("echo nonsense >> /etc/simplestack/simplestack.toml")
    with pytest.raises(AssertionError, match="Job for simplestack"):
        machine(reload)
    machine("sed -i '$ d' /etc/simplestack/simplestack.toml")
    machine(reload)
    wait_for(lambda: re.search("hup|hang up", machine(journal), re.IGNORECASE), what="the signal")
    status = machine("cat /proc/$(systemctl show --property MainPID --value simplestack)/status")
    assert re.search(r"^CapBnd:\s*0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s*2$", status, re.MULTILINE)
    machine("systemctl stop simplestack")
    assert machine("systemctl show --property Result --value simplestack") == "success\n"
