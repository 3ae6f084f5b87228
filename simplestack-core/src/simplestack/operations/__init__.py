"""The table of operations, and the call through it."""
