"""What a person types: `main` has every command, and a module beside it does what several lines are needed for."""
