"""Networks of standard and of distributed switches."""
