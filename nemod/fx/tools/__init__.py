"""What effects are made with.

smooth   parameter smoothing: from knob targets to control signals
ring     ring buffer for delay lines, with a crossfading tap
fuse     compiles many small operations into one kernel
ceiling  the output ceiling as a number, for the limiter and the engine
"""
