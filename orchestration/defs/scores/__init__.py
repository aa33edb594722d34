"""What the champion of every prediction scores."""
