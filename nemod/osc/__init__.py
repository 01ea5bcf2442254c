"""The OSC surface: from packets to calls of the controller, and back.

server       starts and ends all transports
udp          the sockets of UDP
receiver     decoding, limits and counters, the same for every transport
access       who may send: this machine, attached private networks, configured ones
limits       token buckets and windows
traffic      rate limiting of one host
codec        the parser: bytes to messages
encode       messages to bytes
dispatcher   carries out packets: bundles, transactions, queries
addresses    the address space: what exists, and what it accepts and answers
jobs         ends of background jobs, and sync
sender       where answers are sent, and how errors look
errors       errors with addresses
counters     what is counted
port_owner   which process has the port
reference    makes docs/osc.md
"""
