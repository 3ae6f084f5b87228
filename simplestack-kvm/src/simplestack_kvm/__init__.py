"""Simplestack's plugin for KVM and QEMU, through libvirt."""
