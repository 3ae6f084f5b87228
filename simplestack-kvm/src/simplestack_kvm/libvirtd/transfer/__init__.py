"""Exports and imports of guests."""
