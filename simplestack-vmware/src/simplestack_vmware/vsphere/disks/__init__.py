"""Disks, and whose their files are."""
