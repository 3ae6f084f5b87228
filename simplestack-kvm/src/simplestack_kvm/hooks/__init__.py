"""The operations: hook implementations, a module for each entity."""
