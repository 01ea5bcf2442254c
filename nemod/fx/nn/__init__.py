"""Neural kernels: networks as pure functions over a block, shared by the daemon and the trainer.

neural       a model as an effect: `neural(model)`
network      `kernel(network)`: the kernel of any network, layer by layer
recurrent    LSTM and GRU layers
conv         causal dilated convolutions
wavenet      stacks of gated convolutions: NAM and PedalNet
curves       activation functions by name
activations  accurate tanh and sigmoid for recurrent cells
"""
