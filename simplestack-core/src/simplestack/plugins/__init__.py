"""What a plugin is, how plugins are found, and one manager for each."""
