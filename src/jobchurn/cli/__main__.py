"""``python -m jobchurn.cli``: the command line without its installed script."""

from jobchurn.cli import main

main()
