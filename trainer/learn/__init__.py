"""Learning: loss, recurrence with its own gradient, the training loop, checkpoints, export."""
