"""What stands in for an SDK: worlds in an SQLite file, and the format of images."""
