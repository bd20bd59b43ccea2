"""`python -m membatch.cli` is the command."""

from membatch.cli import main

main()
