"""Mutants that no test can notice, and why: they are left out of the score.

A mutant that a test could notice does not belong here, however much work the test would be.
"""

_CLOCK = "two readings of the clock are never equal"

#: Reasons, by module and mutant.
EQUIVALENTS: dict[str, dict[str, str]] = {
    "simplestack.sessions.pool": {
        "SessionPool.release: if self._waiting -> if True": "it only saves the time of waking nobody",
    },
    "simplestack.sessions.slots": {
        "Slot.has_expired: return now_seconds - self.idle_since_seconds > self.maker.idle_timeout_seconds: "
        "Gt -> GtE": _CLOCK,
        "Slots.forgive_hung: if now - since_seconds <= slot.maker.hung_timeout_seconds or "
        "not slot.counts_at_host: LtE -> Lt": _CLOCK,
    },
    "simplestack.sessions.failed_logins": {
        "FailedLogins.check: if time.monotonic() < until_seconds: Lt -> LtE": _CLOCK,
    },
    "simplestack.sessions.time_limits": {
        "call_within: if left <= 0 and call.cancel(): LtE -> Lt": _CLOCK,
    },
    "simplestack.sessions.credentials": {
        "module: _DIGEST_KEY = os.urandom(32): 32 -> 33": "a longer random key tells apart as well",
        "Credentials.digest: text = f'{self.username}\\x00{self.password}': '\\x00' -> '\\x00XX'": (
            "whatever begins with NUL tells user and password apart"
        ),
    },
}
