"""Mutants that no test can notice, and why: they are left out of the score.

A mutant that a test could notice does not belong here, however much work the test would be.
"""

_CLOCK = "two readings of the clock are never equal"

#: Reasons, by module and mutant.
EQUIVALENTS: dict[str, dict[str, str]] = {
    "simplestack.sessions.failed_logins": {
        "FailedLogins.check: if time.monotonic() < until_seconds: Lt -> LtE": _CLOCK,
    },
}
