"""The pluggy markers for hookspecs and hooks. This module imports only pluggy, so that plugins load fast."""

import pluggy

PROJECT_NAME = "simplestack"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)

#: Marks a function as the implementation of the hook of the same name.
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
