"""Communication with libvirtd. Nothing here depends on hooks.

It is named after the daemon, since `libvirt` is the SDK.
"""
