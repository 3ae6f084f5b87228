"""Which modules are mutated, and which tests must notice. All run in one process: a service would be slow."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "simplestack-core/src"

_POOL = ("ends_of_sessions", "waiting_for_sessions", "session_pool", "logouts", "hanging_sessions")
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
}


def source_of(module: str) -> Path:
    """Return the file of a module."""
    return SOURCES / f"{module.replace('.', '/')}.py"


def paths_of_tests(module: str) -> list[Path]:
    """Return the files of the tests that must notice its mutants."""
    found = {path.name: path for path in (ROOT / "tests/core").rglob("test_*.py")}
    names = [f"test_{name}.py" for name in MODULES[module]]
    return [found.get(name, ROOT / "tests/core" / name) for name in names]
