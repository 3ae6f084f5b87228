"""Perform operations: through the service plugins, on a session, within the time limit."""
