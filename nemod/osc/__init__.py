"""The OSC surface: from datagrams to calls of the controller, and back.

server       sockets and access control
limits       token buckets and windows
traffic      rate limiting of one host
codec        the parser: bytes to messages
encode       messages to bytes
commands     carries out packets: bundles, transactions, queries
tree         the address space; pattern: wildcards in addresses
leaf         what an address is; values: types of arguments
parameters   leaves of the knobs
models       leaves of the model library
system       leaves of status, meters, info, toggles
jobs         ends of background jobs, and sync
sender       where answers are sent, and how errors look
errors       errors with addresses
counters     what is counted
reference    makes docs/osc.md
"""
