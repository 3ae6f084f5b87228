"""Audit lines: each of them, once and whole, however many threads write."""

import subprocess
import sys

THREADS, LINES = 8, 2_000
PROGRAM = f"""
import sys, threading
from simplestack.dispatch.audit_output import AuditOutput

sys.setswitchinterval(1e-6)
output = AuditOutput()

def write(name):
    for number in range({LINES}):
        output.write(b"%d %d\\n" % (name, number), at_once=number % 3 == 0)

threads = [threading.Thread(target=write, args=(name,)) for name in range({THREADS})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_no_line_is_lost_torn_or_written_twice() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    expected = {b"%d %d" % (name, number) for name in range(THREADS) for number in range(LINES)}
    written = result.stdout.splitlines()
    assert len(written) == len(expected)
    assert set(written) == expected
