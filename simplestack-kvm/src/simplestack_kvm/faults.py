"""libvirt's errors as ours: one table."""
