"""Keeping an audio plane alive, against faults that no real device can be made to show."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nemod.daemon import supervisor
from nemod.daemon.quarantine import DEATHS
from nemod.daemon.supervisor import Supervisor
from nemod.engine.ipc import DeviceOpened, DeviceRequest

WAIT_S = 0.2


class Plane:
    """An audio plane that has the rig, whose process a broken driver ends while it is opened."""

    def __init__(self, opens: Iterator[bool]) -> None:
        self.rig_id, self.process = 1, None
        self._opens = next(opens)

    async def play(self, order: Any) -> None:
        """Take a rig."""

    async def take(self, take: Any) -> None:
        """Take the device."""

    async def next_event(self) -> DeviceOpened:
        """Open the device, if this is one that can, and end soon after."""
        if self._opens:
            self._opens = False
            return DeviceOpened(
                device="card", rate_hz=48_000, block_frames=64, latency_s=0.0, notices=()
            )
        await asyncio.sleep(0.001)
        raise EOFError

    async def discard(self, patience_s: float = 0.0) -> int:
        """Return how the process has ended."""
        return -signal.SIGSEGV


class SupervisorCallbacks:
    """Who is told: counts, and remembers who is blamed."""

    def __init__(self) -> None:
        self.losses: list[bool] = []
        self.states: list[str] = []

    def rig_to_play(self) -> Any:
        """Return a rig that every plane has already."""
        return SimpleNamespace(rig_id=1), np.zeros(1, np.float32)

    def lost(self, reason: str, *, blamed: bool) -> None:
        """Hear that an audio plane is gone."""
        self.losses.append(blamed)

    def state_changed(self, state: str, why: str) -> None:
        """Hear of a new state."""
        self.states.append(state)

    def opened(self, opened: DeviceOpened) -> None:
        """Hear that the device runs."""


def test_a_driver_that_kills_is_tried_with_pauses_and_the_rig_is_not_blamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After it has played for a while: not twenty new processes a second without an end."""
    opens = iter([True] + 10_000 * [False])

    async def take(*, at_first: bool) -> Plane:
        return Plane(opens)

    async def end(plane: Plane) -> None:
        pass

    async def run() -> SupervisorCallbacks:
        owner = SupervisorCallbacks()
        made = Supervisor(owner, spare=False, wait=False, tape=False)  # type: ignore[arg-type]
        monkeypatch.setattr(
            made, "_planes", SimpleNamespace(take=take, end=end, maintain_standby=id)
        )
        with suppress(TimeoutError):
            await asyncio.wait_for(made.run(DeviceRequest(name="card")), 6.0 * WAIT_S)
        return owner

    monkeypatch.setattr(supervisor, "LONGEST_WAIT_S", WAIT_S)
    monkeypatch.setattr(supervisor, "is_stopped", lambda plane: False)
    owner = asyncio.run(run())
    # The first was heard, and what it played may have ended it; the others never got so far.
    assert not any(owner.losses[1:])
    assert DEATHS < len(owner.losses) <= DEATHS + 10
    assert owner.states[-1] == "error"
