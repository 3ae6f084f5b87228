"""The command line. Each subcommand has a module."""
