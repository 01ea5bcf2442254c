"""Learning models: data and recipes to networks that the daemon plays."""
