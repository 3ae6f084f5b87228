"""The hook implementations. Each entity has a module."""
