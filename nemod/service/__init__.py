"""nemod as a service of systemd: the unit file, where it lies, and what systemd says of it."""
