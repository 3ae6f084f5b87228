"""The two pluggy markers. They import pluggy alone, so that a plugin's modules load fast."""

import pluggy

PROJECT_NAME = "simplestack"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)

#: Marks a function as the implementation of the hook of the same name.
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
