"""Images in volumes: what their headers say, and what they refer to."""
