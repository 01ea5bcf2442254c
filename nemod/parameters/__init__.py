"""The table of parameters: one row per knob, read by everything that has to do with knobs.

table           the rows
parameter       what a row says: path, label, unit, range, default, curve
curves          how a position becomes a value
notes           note values and their times at a tempo
parameter_set   the parameters that exist with a model, by all their paths
"""
