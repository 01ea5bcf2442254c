"""The fixture that starts the daemon, shared with `tests/system`."""

from tests.system.conftest import start

__all__ = ["start"]
