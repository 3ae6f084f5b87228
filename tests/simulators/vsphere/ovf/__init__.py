"""OVF descriptors: read into what is imported, and written of VMs."""
