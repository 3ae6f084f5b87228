"""Mutants that no test can notice, and why: they are left out of the score.

A mutant that a test could notice does not belong here, however much work the test would be.
"""

#: Reasons, by module and mutant.
EQUIVALENTS: dict[str, dict[str, str]] = {}
