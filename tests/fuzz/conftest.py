"""The daemon as a process, as the tests of the whole program start it."""

from tests.app.conftest import start

__all__ = ["start"]
