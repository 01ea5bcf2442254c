"""Faults of the disk, for the files that are written here."""

from tests.parts.disk import small_files

__all__ = ["small_files"]
