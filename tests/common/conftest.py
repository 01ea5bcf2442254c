"""The files of the command line's tests serve here too."""

from tests.cli.conftest import amp, riff

__all__ = ["amp", "riff"]
