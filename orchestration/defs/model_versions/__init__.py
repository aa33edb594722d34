"""Training: the model versions of every prediction, the gate, and when they are trained again."""
