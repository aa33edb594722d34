"""Files as they arrive: the samples' own, and the sensor that sees new ones."""
