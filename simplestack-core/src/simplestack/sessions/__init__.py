"""Which hosts may be connected to, the pool of sessions, and time limits."""
