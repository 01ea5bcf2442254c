"""What every surface with sockets shares: who may connect, and how clients find the daemon.

access       which source addresses are served: this machine, attached private networks, configured
hosts        which `Host` values of HTTP requests name this machine
interfaces   the machine's addresses
names        valid mDNS names for the host and for services
port_owner   which process has a port open
"""
