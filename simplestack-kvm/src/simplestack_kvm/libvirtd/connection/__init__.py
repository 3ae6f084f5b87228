"""Reach a libvirtd: transports, sessions, and calls that end in time."""
