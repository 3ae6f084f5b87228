"""Which modules are mutated, and which tests must notice. All run in one process: a service would be slow."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "simplestack-core/src"

_POOL = ("ends_of_sessions", "waiting_for_sessions", "session_pool", "logouts", "hanging_sessions")
_DESCRIPTORS = ("descriptors", "foreign_descriptors")
#: The tests by module, those first that are quick and likely to notice.
MODULES: dict[str, tuple[str, ...]] = {
    "simplestack.sessions.pool": (*_POOL, "failed_logins"),
    "simplestack.sessions.slots": _POOL,
    "simplestack.sessions.logouts": ("logouts", "ends_of_sessions", "hanging_sessions", "session_pool"),
    "simplestack.sessions.failed_logins": ("failed_logins",),
    "simplestack.sessions.call_limits": ("call_limits",),
    "simplestack.sessions.time_limits": ("time_limits", "ends_of_sessions"),
    "simplestack.identity.credentials": ("credentials",),
    "simplestack.identity.accounts": ("accounts",),
    "simplestack.identity.tokens": ("tokens",),
    "simplestack.dispatch.dispatcher": (
        "dispatch",
        "context_ends",
        "hook_trace",
        "service_limits",
        "changed_results",
        "plugin_errors",
        "call_limits",
        "session_pool",
        "logouts",
    ),
    "simplestack.dispatch.hook_run": (
        "hook_run",
        "plugin_wrappers",
        "audit_lines",
        "plugin_time_limits",
        "dispatch",
        "plugin_errors",
        "time_limits",
        "ends_of_sessions",
        "session_pool",
        "hanging_sessions",
    ),
    "simplestack.dispatch.operation_run": (
        "changed_results",
        "nested_calls",
        "context_ends",
        "audit_lines",
        "dispatch",
        "hook_run",
        "plugin_time_limits",
        "streams",
    ),
    "simplestack.dispatch.nested_arguments": ("nested_calls",),
    "simplestack.dispatch.connector": (
        "ends_of_sessions",
        "call_limits",
        "failed_logins",
        "session_pool",
        "logouts",
        "hanging_sessions",
        "plugin_time_limits",
    ),
    "simplestack.dispatch.plugin_errors": ("plugin_errors",),
    "simplestack.dispatch.streams": ("streams", "time_limits"),
    "simplestack.dispatch.call": ("session_pool",),
    "simplestack.dispatch.audit": ("audit_lines", "context_ends"),
    "simplestack.dispatch.audit_line": ("audit_lines", "context_ends"),
    "simplestack.dispatch.audit_output": ("audit_output", "audit_lines"),
    "simplestack.dispatch.frames": ("hook_trace", "plugin_errors"),
    "simplestack.dispatch.hook_trace": ("hook_trace",),
    "simplestack.dispatch.results": ("results", "service_results", "changed_results", "dispatch"),
    "simplestack.dispatch.strict_types": ("results", "service_results", "changed_results"),
    "simplestack.dispatch.target_check": ("check_target",),
    "simplestack.dispatch.warnings": ("warnings", "nested_calls"),
    "simplestack.identity.hashes": ("check_config",),
    "simplestack.sessions.call_threads": ("call_threads", "call_or_abandon", "hanging_sessions"),
    "simplestack.sessions.maker": _POOL,
    "simplestack.sessions.meter": ("metrics_of_sessions",),
    "simplestack.sessions.targets": ("targets",),
    "simplestack.https.client": ("client",),
    "simplestack.https.connections": ("connections", "client"),
    "simplestack.https.settings": ("connections", "client"),
    "simplestack.https.sockets": ("connections", "client"),
    "simplestack.appliances.archive_reader": ("archive_reader", "manifests", "chunks"),
    "simplestack.appliances.archive_writer": ("chunks", "manifests"),
    "simplestack.appliances.descriptor_reader": _DESCRIPTORS,
    "simplestack.appliances.descriptor_writer": _DESCRIPTORS,
    "simplestack.appliances.digests": ("manifests",),
    "simplestack.appliances.disk_reader": _DESCRIPTORS,
    "simplestack.appliances.guest": _DESCRIPTORS,
    "simplestack.appliances.hardware_items": _DESCRIPTORS,
    "simplestack.appliances.hardware_reader": _DESCRIPTORS,
    "simplestack.appliances.incoming": ("archive_reader", "chunks"),
    "simplestack.appliances.inflating": ("archive_reader", "chunks"),
    "simplestack.appliances.members": ("descriptors", "chunks", "archive_reader"),
    "simplestack.appliances.reader": ("kept_files", "chunks", "manifests", "archive_reader"),
    "simplestack.appliances.terms": _DESCRIPTORS,
    "simplestack.appliances.units": _DESCRIPTORS,
    "simplestack.appliances.xml_input": _DESCRIPTORS,
    "simplestack.entities.growth": ("growth",),
    "simplestack.entities.names": ("free_name",),
    "simplestack.undo": ("undo",),
    "simplestack.xml_characters": ("xml_characters",),
}
#: Modules that `nox -s mutation -- MODULE --record` has not added to the record yet.
NOT_RECORDED = frozenset(
    {
        *(module for module in MODULES if module.startswith("simplestack.appliances.")),
        *(module for module in MODULES if module.startswith("simplestack.https.")),
        *(f"simplestack.dispatch.{name}" for name in ("audit", "audit_line", "audit_output", "frames")),
        *(f"simplestack.dispatch.{name}" for name in ("hook_trace", "results", "strict_types", "warnings")),
        *(f"simplestack.sessions.{name}" for name in ("call_threads", "maker", "meter", "targets")),
        *("simplestack.dispatch.target_check", "simplestack.identity.hashes"),
    }
)


def source_of(module: str) -> Path:
    """Return the file of a module."""
    return SOURCES / f"{module.replace('.', '/')}.py"


def paths_of_tests(module: str) -> list[Path]:
    """Return the files of the tests that must notice its mutants."""
    found = {path.name: path for path in (ROOT / "tests/core").rglob("test_*.py")}
    names = [f"test_{name}.py" for name in MODULES[module]]
    return [found.get(name, ROOT / "tests/core" / name) for name in names]
