"""Firmware of guests, and their UEFI variables."""
