"""The daemon as a systemd service: the unit file, where it is, and the state of the unit."""
