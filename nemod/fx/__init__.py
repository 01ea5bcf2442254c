"""Effects: pure functions that change the sound, one file each.

    effect      the plug-in API: `Effect`, and `chain`, which joins effects into one
    gain        multiplication by a knob: trims, drive, level
    gate        noise gate, keyed by the dry input
    compressor  feed-forward compressor with a soft knee
    autowah     band-pass that opens with the level
    dc          DC blocker: removes the offset that a model may add
    eq          three-band EQ
    phaser      moving all-pass filters
    chorus      moving delay
    flanger     moving short delay with feedback
    tremolo     moving gain
    delay       echoes with feedback
    reverb      feedback delay network
    limiter     last effect: keeps the output at or below `ceiling`
    split       mix of the two branches of a split
    bypass      dry/wet mix of the bypass switch, and mute
    stereo      from one channel to two: which effects of a chain play left and right
    nn/neural   a model as an effect

    tools/      what effects are made with: smoothing, ring buffers, fused kernels

`nn` holds the neural kernels. The kinds of slots are in `nemod.engine.chain`.
"""
