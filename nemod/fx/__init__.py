"""Effects: what changes the sound, one file each.

The contract is `effect`: an `Effect` is two pure functions, `chain` puts effects in a row.

    gain        multiply by a knob: trims, drive, level
    dc          take away the offset that a model may add
    eq          three bands of tone
    delay       echoes
    reverb      a room
    limiter     the last effect: never above -1 dBFS
    bypass      past an effect, or silence, without a click
    neural      a model as an effect

    smooth      from knob targets to control signals: how every knob glides
    ring        memory of the last frames, and a tap into it that moves without a click
    recurrent   LSTM and GRU kernels, shared with the trainer
    network     from a decoded model to weights and a kernel
    activations the functions between layers

Chains are made of them in `nemod.engine.rig`.
"""
