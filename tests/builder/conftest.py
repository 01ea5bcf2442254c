"""The fixtures of the engine's tests serve here too."""

from tests.engine.conftest import guitar, pipe, saved

__all__ = ["guitar", "pipe", "saved"]
