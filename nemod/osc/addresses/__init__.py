"""The OSC address space: which addresses exist, and what they accept and answer.

parameters   the knobs: every row of the table
chain        /nemo/chain/...
models       /nemo/model/... and the same of every model slot
presets      /nemo/preset/... and /nemo/snapshot/...
tuner        readings of the tuner
system       status, meters, info, toggles, tap tempo, panic
client       subscriptions, ping, sync, transactions

tree         finds the leaves of an address or a pattern
leaf         what an address is
flags        which addresses a subscriber is sent
values       types of arguments
pages        answers of long lists
named_files  what models and cabinets have in common
loading      what models and presets have in common
pattern      wildcards
"""
