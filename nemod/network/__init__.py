"""What every surface with sockets shares: who may connect, and how clients find the daemon.

access               which source addresses are served
hosts                which `Host` values of HTTP requests name this machine
interfaces           the machine's addresses
sockets              opens the sockets of a port
limits               token buckets and windows: what one client may cost
rare_warnings        warnings about clients, which must not fill the log
connection           a WebSocket, as what is served over it sees it
port_owner           which process has a port open
announce             announces the services by multicast DNS
services             what is announced: types, ports, TXT records
names                valid names for the host and for services
avahi                publishes through a running avahi-daemon
zeroconf_announcer   announces where none runs
zeroconf_conflicts   names that another machine has
"""
