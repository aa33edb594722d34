"""`python -m orchestration` is the command line."""

from orchestration.command_line import main

main()
