"""Neural kernels: networks as pure functions over a block, shared by the daemon and the trainer.

neural       a model as an effect: `neural(model)`
network      `kernel(network)`: the kernel of any network, layer by layer
recurrent    LSTM and GRU layers
cells        one step of an LSTM and of a GRU
conv         causal dilated convolutions
wavenet      stacks of gated convolutions: NAM and PedalNet
past_ring    the past of the layers of a WaveNet
curves       activation functions by name
activations  tanh and sigmoid
exponential  the exponential that cells and activations are made from
"""
