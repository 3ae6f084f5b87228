"""Mutants that no test can notice, and why: they are left out of the score.

A mutant that a test could notice does not belong here, however much work the test would be.
"""

_CLOCK = "two readings of the clock are never equal"
_SECTOR = "a difference of less than a sector has returned before"
_SAVES_CHECK = "it only saves the time of checking a result again"

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
        "call_within: if left <= 0 and deadline.end_if_passed() and call.cancel(): LtE -> Lt": _CLOCK,
    },
    "simplestack.dispatch.operation_run": {
        "OperationRun.returned: if result is before and self._has_its_items(result) -> "
        "if False": _SAVES_CHECK,
        "OperationRun.keep: if is_fixed(kind) -> if False": _SAVES_CHECK,
        "OperationRun.keep: self.fixed_result = result -> deleted": _SAVES_CHECK,
        "OperationRun.keep: self._items = tuple(result) if is_list else None -> deleted": _SAVES_CHECK,
        "OperationRun.keep: self._items = tuple(result) if is_list else None: "
        "tuple(result) if is_list else None -> None": _SAVES_CHECK,
        "OperationRun._has_its_items: return items is not None and len(items) == len(result) and "
        "all(map(is_, items, result)) -> return False": _SAVES_CHECK,
    },
    "simplestack.identity.credentials": {
        "module: _DIGEST_KEY = os.urandom(32): 32 -> 33": "a longer random key tells apart as well",
        "Credentials.digest: text = f'{self.username}\\x00{self.password}': '\\x00' -> '\\x00XX'": (
            "whatever begins with NUL tells user and password apart"
        ),
    },
    "simplestack.entities.growth": {
        "grown_bytes: if more < 0: Lt -> LtE": _SECTOR,
        "grown_bytes: if more < 0: 0 -> 1": _SECTOR,
    },
}
