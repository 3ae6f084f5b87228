"""CD drives, and the ISO images in datastores."""
