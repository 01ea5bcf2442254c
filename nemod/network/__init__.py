"""What every surface with sockets shares: who may connect, and how clients find the daemon.

access       which source addresses are served: this machine, attached private networks, configured
port_owner   which process has a port open
"""
