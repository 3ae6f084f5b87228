"""Credentials, the hosts that may be dialled, and the pool of sessions."""
