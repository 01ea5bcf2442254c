"""The table of parameters: one row per knob, read by everything that has to do with knobs."""
