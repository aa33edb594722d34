"""`python -m orchestration` is the command line."""

from orchestration.command_line.main import main

main()
