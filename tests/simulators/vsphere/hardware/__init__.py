"""Changes of a VM's devices, in a copy of its configuration, with files that are undone if one fails."""
