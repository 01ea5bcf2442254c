"""Shapes of a low-frequency oscillator, in the order of their index."""

LFO_SHAPES = (
    "sine",
    "triangle",
    "square",
    "ramp up",
    "ramp down",
    "random",
    "sample hold",
    "uneven sine",
)
