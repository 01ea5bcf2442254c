"""Modules that every part may use: errors, files, paths, locks, units, command line."""
