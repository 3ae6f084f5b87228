"""Exports and imports of guests: leases, their files, and descriptors."""
