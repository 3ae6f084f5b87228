"""``simplestack check-target``: the steps of a login, and which of them fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.check_target import check_target
from support.distributions import install
from support.listing import good

ALL = ["ok plugin", "ok host", "ok address", "ok connection", "ok login", "ok read"]


def own(connect: str, hook: str = "return []") -> str:
    """Return a plugin whose `connect` and whose only hook have these statements."""
    return f"""
def connect(target, credentials, settings):
    {connect}

@hookimpl
def guest_list(session, fields):
    {hook}

plugin = HypervisorPlugin(name="own", title="Own", connect=connect, disconnect=lambda s: None, hooks=(me,),
                          settings=HypervisorSettings)
"""


def test_a_host_that_works_passes_every_step(tmp_path: Path) -> None:
    checked = check_target(tmp_path, "mock", "localhost", user="alice")
    assert (checked.status, checked.stderr) == (0, "")
    assert checked.steps == ALL
    lines = checked.stdout.splitlines()
    assert lines[1] == "ok      host        localhost is allowed"
    assert lines[4] == "ok      login       as alice"
    assert lines[5].startswith("ok      read        pool_info: in 0.")


def test_an_address_needs_no_name_server(tmp_path: Path) -> None:
    checked = check_target(tmp_path, "mock", "192.0.2.1")
    assert (checked.status, checked.steps) == (0, [step for step in ALL if step != "ok address"])


def test_a_name_without_an_address_is_no_error_where_the_plugin_needs_none(tmp_path: Path) -> None:
    checked = check_target(tmp_path, "mock", "no-such-host.invalid")
    assert (checked.status, checked.steps) == (0, ALL)
    assert "cannot resolve no-such-host.invalid: " in checked.stdout
    assert "; mock does not need its address" in checked.stdout


def test_an_alias_names_the_plugin_and_the_read_is_the_first_that_it_implements(
    tmp_path: Path, plugins: Path
) -> None:
    source = own("return object()").replace('name="own"', 'name="own", aliases=("mine",)')
    install(plugins, "own", source)
    checked = check_target(tmp_path, "mine", "localhost", plugins=plugins)
    assert (checked.status, checked.steps) == (0, ALL)
    assert "plugin      Own, simplestack-own 1.0" in checked.stdout
    assert "read        guest_list: 0 found, in 0." in checked.stdout


FAILING = {
    "an unknown hypervisor": ("hyperv", "hv1", "", "plugin", "no hypervisor 'hyperv' here; there are: "),
    "a plugin that cannot be loaded": ("odd", "hv1", "", "plugin", "RuntimeError: no (plugin_odd.py, line 5"),
    "a hypervisor that is off": (
        "mock",
        "hv1",
        "[server]\nhypervisors = ['own']",
        "plugin",
        "no hypervisor 'mock' here; there are: own",
    ),
    "a URL": ("mock", "https://hv1", "", "host", "is not a name or an address with an optional port"),
    "a port out of range": ("mock", "hv1:70000", "", "host", "the port must be from 1 to 65535"),
    "a host that is not allowed": (
        "mock",
        "hv1:443",
        "[hypervisors.mock]\nallowed_hosts = ['hv2']",
        "host",
        "hv1:443 is not in allowed_hosts add 'hv1' to allowed_hosts in [hypervisors.mock]",
    ),
    "a name that no network can allow": (
        "mock",
        "no-such-host.invalid",
        "[hypervisors.mock]\nallowed_hosts = ['10.0.0.0/8']",
        "address",
        "cannot resolve host no-such-host.invalid: ",
    ),
    "wrong settings": ("mock", "hv1", "[hypervisors.mock]\nallowed_host = []", "", ""),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_target_that_cannot_be_connected_to_says_why(tmp_path: Path, plugins: Path, case: str) -> None:
    hypervisor, host, settings, step, said = FAILING[case]
    install(plugins, "odd", "raise RuntimeError('no')")
    install(plugins, "own", own("return object()"))
    checked = check_target(tmp_path, hypervisor, host, settings, plugins=plugins)
    assert checked.status == 1
    if not step:
        assert checked.stdout == ""
        assert checked.stderr.startswith("Error: hypervisors.mock.allowed_host: there is no such setting; ")
        return
    assert checked.steps[-1] == f"failed {step}"
    assert all(passed.startswith("ok ") for passed in checked.steps[:-1])
    assert said in checked.error


#: Statements of `connect` and of the hook, the step that fails, what it says, what to do.
BROKEN = {
    "unreachable": (
        "raise HypervisorUnavailable('cannot connect to hv1: no route')",
        "",
        "connection",
        "cannot connect to hv1: no route",
        "check that the host listens there",
    ),
    "silent": (
        "threading.Event().wait()",
        "",
        "connection",
        "cannot connect to localhost within 1 s",
        "check that the host listens there",
    ),
    "wrong password": (
        "raise Unauthorized('wrong user name or password')",
        "",
        "login",
        "wrong user name or password",
        "check the user name and the password",
    ),
    "redirect": (
        "target.elsewhere('hv2')",
        "",
        "connection",
        "host hv2 is not in allowed_hosts of this service",
        "add the host that this one redirects to to allowed_hosts in [hypervisors.own]",
    ),
    "defect": (
        "raise KeyError(credentials.password)",
        "",
        "connection",
        "KeyError: '***' (plugin_own.py, line 7, in connect)",
        "this is a defect of simplestack-own 1.0: tell its author",
    ),
    "exit": (
        "sys.exit('enough')",
        "",
        "connection",
        "PluginExit: ",
        "this is a defect of simplestack-own 1.0",
    ),
    "no permission": (
        "return object()",
        "raise PermissionDenied('alice may not list guests')",
        "read",
        "guest_list: alice may not list guests",
        "check the role of this user at the hypervisor, and the policies in server.services",
    ),
    "hypervisor": (
        "return object()",
        "raise HypervisorError('out of order')",
        "read",
        "guest_list: out of order",
        "the log of the host may say more",
    ),
    "late": (
        "return object()",
        "threading.Event().wait()",
        "read",
        "guest_list: own did not respond within 1 s",
        "call_timeout_seconds in [hypervisors.own]",
    ),
    "wrong result": (
        "return object()",
        "return 1",
        "read",
        "guest_list: ",
        "this is a defect of simplestack-own",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_plugins_error_belongs_to_its_step(tmp_path: Path, plugins: Path, case: str) -> None:
    connect, hook, step, said, advice = BROKEN[case]
    install(plugins, "own", own(connect, hook or "return []"))
    limits = "connect_timeout_seconds = 1\ncall_timeout_seconds = 1\n"
    settings = f"[hypervisors.own]\n{limits}allowed_hosts = ['localhost']"
    checked = check_target(tmp_path, "own", "localhost", settings, password="hunter2", plugins=plugins)
    assert checked.status == 1
    assert checked.steps == [*ALL[: 5 if step == "read" else 3], f"failed {step}"]
    assert said in checked.error
    assert advice in checked.error


def test_a_host_that_cannot_be_reached_for_want_of_an_address_fails_there(
    tmp_path: Path, plugins: Path
) -> None:
    install(plugins, "own", own("raise HypervisorUnavailable('nobody there')"))
    checked = check_target(tmp_path, "own", "no-such-host.invalid", plugins=plugins)
    assert (checked.status, checked.steps) == (1, ["ok plugin", "ok host", "failed address"])
    assert "cannot resolve no-such-host.invalid: " in checked.error
    assert "(nobody there) check the name, and the name servers" in checked.error


def test_a_policy_applies_to_the_read_as_to_a_request(tmp_path: Path, plugins: Path) -> None:
    policy = """
class Policy:
    @hookimpl(wrapper=True)
    def operation_call(self):
        raise PermissionDenied("not today")
        yield

plugin = ServicePlugin(name="policy", title="Policy", make=lambda settings: Policy())
"""
    install(plugins, "policy", policy, "simplestack.services")
    checked = check_target(tmp_path, "mock", "localhost", plugins=plugins)
    assert (checked.status, checked.steps) == (1, [*ALL[:-1], "failed read"])
    assert "pool_info: not today" in checked.error


def test_nothing_is_tried_without_the_policies(tmp_path: Path, plugins: Path) -> None:
    install(plugins, "policy", "raise RuntimeError('no')", "simplestack.services")
    checked = check_target(tmp_path, "mock", "localhost", plugins=plugins)
    assert (checked.status, checked.stdout) == (1, "")
    assert checked.stderr.startswith("Error: service plugin 'policy' (simplestack-policy 1.0): ")


def test_it_asks_for_user_and_password(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simplestack", "check-target", "mock", "localhost"]
    environment = {"XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]}
    done = subprocess.run(
        command,
        env=environment,
        input="alice\nhunter2\n",
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # without a terminal, the password comes from standard input, too
    )
    assert done.returncode == 0, done.stderr
    assert "as alice" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_a_plugin_that_reads_nothing_without_an_id_is_only_logged_in_to(
    tmp_path: Path, plugins: Path
) -> None:
    source = good("own").replace(
        "def guest_list(session):\n    return []", "def guest_info(session, guest_id):\n    return None"
    )
    install(plugins, "own", source)
    checked = check_target(tmp_path, "own", "localhost", plugins=plugins)
    assert (checked.status, checked.steps) == (0, ALL)
    assert "not tried: own has no operation that reads without an ID" in checked.stdout
