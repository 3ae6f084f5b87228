"""``python -m simplestack``."""

from simplestack.cli.main import main

main(prog_name="simplestack")
