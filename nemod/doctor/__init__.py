"""`nemod doctor`: what on this machine causes dropouts or silence, each with its remedy.

finding     what a check returns
machine     the files and rights that checks look at
rights      real-time priority, locked memory, device nodes
processor   governor, idle states, temperature, kernel
interrupts  shared and threaded interrupts
cards       sound cards, who uses them, USB
network     Wi-Fi power saving, ports
storage     swap, disk, memory
service     the installed service and its rights
checks      all of them, in order

Checks read files and change nothing. They run on the command line alone: no address of OSC or HTTP
leads here, because the answers describe the machine.
"""
