"""The table of parameters: one row per knob, read by everything that has to do with knobs.

table           the rows
parameter       what a row says: path, label, unit, range, default, curve
curves          how a position becomes a value
notes           note values and their times at a tempo
parameter_set   the parameters that exist with a chain and its models, by all their paths
slot_labels     what kinds of slots, and slots, are called
slot_paths      the paths of the controls of a chain's slots
"""
