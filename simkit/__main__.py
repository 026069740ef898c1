"""``python -m simkit``: the command line."""

from simkit.cli.main import main

main()
