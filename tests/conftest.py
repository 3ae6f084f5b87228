"""What holds for all tests: they leave the user's own files alone, and pass in the background."""

import os
import signal
import tempfile

import pytest

#: Where the mock keeps its database by default. Processes that tests start inherit it.
_state = tempfile.TemporaryDirectory(prefix="simplestack-state-")
os.environ["XDG_STATE_HOME"] = _state.name

# A failed assertion of what tests share shows both sides, too.
pytest.register_assert_rewrite("support", "tests.kvm", "tests.packages", "tests.simulators", "tests.vmware")

# A shell that starts tests in the background lets them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
