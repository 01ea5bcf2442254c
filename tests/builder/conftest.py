"""The fixtures of the engine's tests serve those of the builder too."""

from tests.engine.conftest import guitar, saved

__all__ = ["guitar", "saved"]
