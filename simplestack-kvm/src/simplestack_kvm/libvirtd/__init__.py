"""libvirtd's side: what is asked of it, and how. Nothing here knows of hooks.

It is named after the daemon, since `libvirt` is the SDK.
"""
