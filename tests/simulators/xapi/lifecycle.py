"""Which operations a VM allows: one table, and what is refused, in XAPI's order.

The facts are those of XAPI's own ``xapi_vm_lifecycle.ml``: states are named in its order, which clients see.
"""

from collections.abc import Mapping

from msgspec import Struct

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.guests import booted_paravirtualized, has_feature

HALTED, PAUSED, SUSPENDED, RUNNING = "Halted", "Paused", "Suspended", "Running"
BUSY = "OTHER_OPERATION_IN_PROGRESS"


class _Rule(Struct, frozen=True):
    """When an operation is allowed."""

    states: tuple[str, ...]
    on_templates: bool = False
    on_snapshots: bool = False
    #: Any of these will do; a guest that is paravirtualized needs none.
    features: tuple[str, ...] = ()
    #: Whether ``allowed_operations`` has it.
    is_told: bool = True


_ANY = (HALTED, PAUSED, SUSPENDED, RUNNING)
_LIVE = (PAUSED, SUSPENDED, RUNNING)
_SETTING = _Rule((HALTED,), on_templates=True, is_told=False)
_RULES: Mapping[str, _Rule] = {
    "snapshot": _Rule(_ANY),
    "copy": _Rule((HALTED,), on_templates=True, on_snapshots=True),
    "clone": _Rule((HALTED,), on_templates=True, on_snapshots=True),
    "revert": _Rule(_ANY, on_snapshots=True),
    "checkpoint": _Rule(_LIVE, features=("feature-suspend",)),
    "snapshot_with_quiesce": _Rule((RUNNING,)),
    "start": _Rule((HALTED,)),
    "start_on": _Rule((HALTED,)),
    "pause": _Rule((RUNNING,)),
    "unpause": _Rule((PAUSED,)),
    "clean_shutdown": _Rule((RUNNING,), features=("feature-shutdown", "feature-poweroff")),
    "clean_reboot": _Rule((RUNNING,), features=("feature-shutdown", "feature-reboot")),
    "hard_shutdown": _Rule(_LIVE, on_snapshots=True),
    "hard_reboot": _Rule((PAUSED, RUNNING)),
    "suspend": _Rule((RUNNING,), features=("feature-suspend",)),
    "resume": _Rule((SUSPENDED,)),
    "resume_on": _Rule((SUSPENDED,)),
    "export": _Rule((HALTED, SUSPENDED), on_templates=True, on_snapshots=True),
    "destroy": _Rule((HALTED, SUSPENDED), on_templates=True, on_snapshots=True),
    "provision": _Rule((HALTED,), on_templates=True),
    "changing_VCPUs_live": _Rule((RUNNING,), features=("feature-vcpu-hotplug",)),
    "make_into_template": _Rule((HALTED,)),
    "changing_static_range": _Rule((HALTED,), on_templates=True),
    "changing_shadow_memory": _Rule((HALTED,), on_templates=True),
    "changing_dynamic_range": _Rule((HALTED, RUNNING), on_templates=True),
    "shutdown": _Rule(_LIVE, is_told=False),
    "reverting": _Rule(_ANY, is_told=False),
    "changing_memory_limits": _SETTING,
    "changing_VCPUs": _SETTING,
    "changing_memory_live": _Rule((RUNNING,), is_told=False),
    "awaiting_memory_live": _Rule((RUNNING,), is_told=False),
}
_QUIESCE = ("feature-quiesce", "feature-snapshot")
#: These may be under way together.
_TOGETHER = (frozenset({"clone", "copy", "export"}), frozenset({"snapshot", "checkpoint"}))
#: These may begin while others are under way, but for the ones named.
_HARD: Mapping[str, frozenset[str]] = {
    "hard_shutdown": frozenset({"hard_shutdown"}),
    "hard_reboot": frozenset({"hard_shutdown", "hard_reboot"}),
}


def check(database: Database, vm: Object, operation: str) -> None:
    """Check that a VM allows an operation now.

    :raises Failure: it does not
    """
    refusal = refused(database, vm, operation)
    if refusal is not None:
        raise refusal


def refused(database: Database, vm: Object, operation: str) -> Failure | None:
    """Return what XAPI refuses an operation with; None where it does not."""
    rule = _RULES.get(operation)
    if rule is None:
        return None
    if operation in vm["blocked_operations"]:
        return Failure("OPERATION_BLOCKED", vm.ref, vm["blocked_operations"][operation])
    states = rule.states
    if operation in ("clone", "copy") and vm["is_a_snapshot"]:
        states = (HALTED, SUSPENDED)
    if vm["power_state"] not in states:
        return bad_state(vm, *states)
    return _busy(vm, operation) or _wrong_kind(vm, operation, rule) or _guest(database, vm, operation, rule)


def bad_state(vm: Object, *expected: str) -> Failure:
    """Return the failure of a VM that is in none of these states."""
    return Failure("VM_BAD_POWER_STATE", vm.ref, ", ".join(expected).lower(), str(vm["power_state"]).lower())


def update_allowed_operations(database: Database, vm: Object) -> None:
    """Say what may be done with a VM now."""
    vm["allowed_operations"] = [
        name for name, rule in _RULES.items() if rule.is_told and refused(database, vm, name) is None
    ]


def _busy(vm: Object, operation: str) -> Failure | None:
    current = set(vm["current_operations"].values())
    if not current:
        return None
    if operation in _HARD and not current & _HARD[operation]:
        return None
    if any(current | {operation} <= together for together in _TOGETHER):
        return None
    return Failure(BUSY, "VM", vm.ref, min(current))


def _wrong_kind(vm: Object, operation: str, rule: _Rule) -> Failure | None:
    """Return the refusal of templates, of snapshots, and of what is neither."""
    if vm["is_a_snapshot"]:
        if not rule.on_snapshots:
            return Failure("VM_IS_SNAPSHOT", vm.ref, operation)
    elif vm["is_a_template"]:
        if not rule.on_templates:
            return Failure("VM_IS_TEMPLATE", vm.ref, operation)
        is_default = vm["is_default_template"] or vm["other_config"].get("default_template") == "true"
        if operation == "destroy" and is_default:
            return Failure("VM_IS_TEMPLATE", vm.ref, operation)
    elif operation == "provision":
        return Failure("PROVISION_ONLY_ALLOWED_ON_TEMPLATE")
    elif operation == "revert":
        return Failure("REVERT_ONLY_ALLOWED_ON_SNAPSHOT")
    return None


def _guest(database: Database, vm: Object, operation: str, rule: _Rule) -> Failure | None:
    """Return the refusal of a guest whose tools do not do what is needed."""
    is_asked = vm["power_state"] == RUNNING and not booted_paravirtualized(database, vm)
    if is_asked and rule.features and not any(has_feature(database, vm, name) for name in rule.features):
        return Failure("VM_LACKS_FEATURE", vm.ref)
    if operation == "snapshot_with_quiesce" and not any(has_feature(database, vm, name) for name in _QUIESCE):
        return Failure("VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED", vm.ref)
    return None
