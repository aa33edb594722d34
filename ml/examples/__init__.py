"""What the examples of a prediction hold, checked before anything is learned, and divided by time."""
