"""`python -m membatch` is the command."""

from membatch.cli import main

main()
