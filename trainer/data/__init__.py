"""Dry and wet recordings, read, checked and split."""
