"""The OSC address space: which addresses exist, and what they accept and answer.

parameters   the knobs: every row of the table
models       /nemo/model/...
presets      /nemo/preset/... and /nemo/snapshot/...
system       status, meters, info, toggles, ping, sync, transactions

tree         finds the leaves of an address or a pattern
leaf         what an address is
values       types of arguments
pages        answers of long lists
pattern      wildcards
"""
