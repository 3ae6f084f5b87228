"""XAPI's side: what is said to it, and how. Nothing here knows of hooks."""
