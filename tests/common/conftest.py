"""Faults of the disk, and the files of the command line's tests."""

from tests.cli.conftest import amp, riff
from tests.parts.disk import small_files

__all__ = ["amp", "riff", "small_files"]
