"""`python -m orchestration` is the command line."""

from orchestration.command_line.interruption import end_when_stopped

end_when_stopped()  # before all that takes time to import

from orchestration.command_line.main import main  # noqa: E402 - see above

main()
