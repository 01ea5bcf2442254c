"""What every part may use: errors, files, paths, locks, units, process information."""
