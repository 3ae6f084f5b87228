"""Take snapshots, and revert to them."""
