"""The OSC surface: from packets to calls of the controller, and back.

server       starts and ends all transports
udp          datagrams
tcp          accepts connections; connection: one of them; framing: packets in a stream
receiver     decoding, limits and counters, the same for every transport
limits       how many messages and errors a sender may have
traffic      rate limiting of one host
codec        the parser: bytes to messages
encode       messages to bytes
dispatcher   carries out packets: bundles, transactions, queries
scheduler    bundles that are carried out later
request      one packet while it is carried out
answers      the answers to a packet, within what its sender may be sent
feedback     sends clients what changes
query        OSCQuery: the addresses as JSON, and clients on WebSockets
timers       the clock and the timers of the control thread
addresses    the address space: what exists, and what it accepts and answers
jobs         ends of background jobs, and sync
sender       where answers are sent, and how errors look
neuralpi     addresses of NeuralPi, for its plug-in
errors       errors with addresses
counters     what is counted
reference    makes docs/osc.md
"""
