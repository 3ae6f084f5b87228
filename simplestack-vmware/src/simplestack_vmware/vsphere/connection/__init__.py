"""Connections to vCenter and ESXi, and calls of methods."""
