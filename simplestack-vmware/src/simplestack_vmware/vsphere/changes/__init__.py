"""Changes that lose nothing of what others change."""
