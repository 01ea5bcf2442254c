"""Neural kernels: recurrent and convolutional networks as pure functions."""
