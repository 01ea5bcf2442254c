"""What effects are made with.

smooth      parameter smoothing: from knob targets to control signals
ring        ring buffer for delay lines, with a crossfading tap
moving_tap  delay line whose delay moves with every frame
lfo         low-frequency oscillator: its phase, and its shapes
switch      effects that are off by default
fuse        compiles many small operations into one kernel
ceiling     the output ceiling as a number, for the limiter and the engine
"""
