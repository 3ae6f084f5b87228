"""What each operation asks of vSphere is the same for 10 and 1,000 VMs, and what the README says."""

import re
from pathlib import Path

import pytest

from simplestack.operations.table import OPERATIONS
from simplestack_vmware import plugin
from simulators.tls import Trust
from support.vsphere import running_host

from .call_counts import Calls, Counted, live
from .conftest import Connect

_README = Path(__file__).parents[2] / "simplestack-vmware" / "README.md"
_ROW = re.compile(r"^\| (`[^|]*) \| (\d+) \| (\d+) \| (\d+) \|$", re.MULTILINE)
#: Transfers take calls as long as they last.
_TRANSFERS = {"guest_export", "guest_import"}


@pytest.fixture(params=[10, 1000])
def counted(trust: Trust, log_in: Connect, request: pytest.FixtureRequest) -> dict[str, Calls]:
    """Return what the operations take with some VMs."""
    with running_host(trust, vms=request.param) as host:
        session = log_in(host)
        made = Counted(host, session)
        live(made)
    return made.calls


def test_each_operation_takes_the_calls_that_the_readme_says(counted: dict[str, Calls]) -> None:
    told = {
        name: Calls(*map(int, numbers))
        for names, *numbers in _ROW.findall(_README.read_text())
        for name in re.findall(r"`(\w+)`", names)
    }
    assert counted == told, "\n".join(
        f"| `{name}` | {calls.reads} | {calls.changes} | {calls.tasks} |" for name, calls in counted.items()
    )


def test_no_operation_is_left_out(counted: dict[str, Calls]) -> None:
    hooks = {hook for row in OPERATIONS for hook in row.hooks}
    own = {hook for hook in hooks if any(hasattr(module, hook) for module in plugin.hooks)}
    assert set(counted) == own - _TRANSFERS
