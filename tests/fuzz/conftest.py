"""The daemon as a process, as the tests of the whole program start it."""

from tests.system.conftest import start

__all__ = ["start"]
