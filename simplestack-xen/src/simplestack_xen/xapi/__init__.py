"""Communication with XAPI. Nothing here depends on hooks."""
