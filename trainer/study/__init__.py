"""Studies over many runs: searching for hyperparameters, and pictures of what runs came to."""
