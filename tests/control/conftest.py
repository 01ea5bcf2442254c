"""A second surface: an in-memory client of the control core."""

from collections.abc import Callable

import pytest

from nemod.control.events import Event, Source, Subscription
from nemod.control.jobs import Job
from tests.osc.conftest import MemoryRig


class MemoryClient:
    """A surface without a protocol: it calls the controller and reads its events."""

    def __init__(self, rig: MemoryRig, name: str = "one") -> None:
        self.source = Source("memory", name)
        self._controller = rig.controller
        self._events: Subscription = rig.controller.subscribe(self.source)

    def set(self, path: str, position: float) -> float:
        """Set a parameter."""
        return self._controller.set(path, position, self.source)

    def load(self, name: str) -> Job:
        """Start to load a model."""
        return self._controller.load_model(name, self.source)

    def events(self) -> list[Event]:
        """Return what arrived since the last call."""
        return self._events.take()


@pytest.fixture
def rig() -> MemoryRig:
    """A control core in memory."""
    return MemoryRig()


@pytest.fixture
def connect(rig: MemoryRig) -> Callable[[str], MemoryClient]:
    """Connect a client of this name."""
    return lambda name: MemoryClient(rig, name)
