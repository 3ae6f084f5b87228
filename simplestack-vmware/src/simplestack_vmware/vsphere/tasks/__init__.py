"""Tasks, and waiting for changes."""
