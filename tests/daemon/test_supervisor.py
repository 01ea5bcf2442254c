"""Keeping an audio process alive, against faults that no real device can be made to show."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nemod.daemon import supervisor
from nemod.daemon.quarantine import CRASHES
from nemod.daemon.supervisor import Supervisor
from nemod.daemon.telemetry import Telemetry
from nemod.engine.ipc import DeviceFailed, DeviceOpened, DeviceRequest

WAIT_S = 0.2


class Process:
    """An audio process that has the rig, and that a broken driver ends while it opens."""

    def __init__(self, opens: Iterator[bool]) -> None:
        self.rig_id = 1
        self._opens = next(opens)

    async def play(self, rig: Any) -> None:
        """Take a rig."""

    async def open_device(self, message: Any) -> None:
        """Open the device."""

    async def next_event(self) -> DeviceOpened:
        """Open the device, if this process can, and end soon after."""
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


class Callbacks:
    """Counts the losses, and remembers whether the rig was suspected."""

    def __init__(self) -> None:
        self.losses: list[bool] = []
        self.states: list[str] = []

    def rig_to_play(self) -> Any:
        """Return a rig that every process has already."""
        return SimpleNamespace(rig_id=1), np.zeros(1, np.float32)

    def audio_process_lost(self, reason: str, *, rig_suspected: bool) -> None:
        """Called when a process has ended."""
        self.losses.append(rig_suspected)

    def device_opened(self, device: DeviceOpened) -> None:
        """Called when the device runs."""


def test_a_driver_that_crashes_is_retried_with_pauses_and_the_rig_is_not_suspected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After it has played for a while: not twenty new processes a second for ever."""
    opens = iter([True] + 10_000 * [False])

    async def take(*, at_first: bool) -> Process:
        return Process(opens)

    async def end(process: Process) -> None:
        pass

    async def run() -> Callbacks:
        callbacks = Callbacks()
        made = Supervisor(
            callbacks,  # type: ignore[arg-type]
            Telemetry(),
            on_opened=lambda device: None,
            on_state=lambda state, reason: callbacks.states.append(state),
            standby=False,
            wait=False,
            recording=False,
        )
        processes = SimpleNamespace(take=take, end=end, maintain_standby=id)
        monkeypatch.setattr(made, "_processes", processes)
        with suppress(TimeoutError):
            await asyncio.wait_for(made.run(DeviceRequest(name="card")), 6.0 * WAIT_S)
        return callbacks

    monkeypatch.setattr(supervisor, "LONGEST_WAIT_S", WAIT_S)
    monkeypatch.setattr(supervisor, "is_stopped", lambda process: False)
    callbacks = asyncio.run(run())
    # The first was heard, so its rig may be the cause; the others did not get that far.
    assert not any(callbacks.losses[1:])
    assert CRASHES < len(callbacks.losses) <= CRASHES + 10
    assert callbacks.states[-1] == "error"


def test_the_input_stream_goes_on_in_the_next_audio_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that was switched on before there was a process is on from its first opening."""
    streams: list[bool] = []

    class Streaming(Process):
        def stream_input(self, *, is_on: bool) -> None:
            """Start or stop the stream."""
            streams.append(is_on)

    async def take(*, at_first: bool) -> Process:
        return Streaming(iter([True]))

    async def end(process: Process) -> None:
        pass

    async def run() -> None:
        made = Supervisor(
            Callbacks(),  # type: ignore[arg-type]
            Telemetry(),
            on_opened=lambda device: None,
            on_state=lambda state, reason: None,
            standby=False,
            wait=False,
            recording=False,
        )
        processes = SimpleNamespace(take=take, end=end, maintain_standby=id)
        monkeypatch.setattr(made, "_processes", processes)
        made.stream_input(is_on=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(made.run(DeviceRequest(name="card")), WAIT_S)

    monkeypatch.setattr(supervisor, "is_stopped", lambda process: False)
    asyncio.run(run())
    assert len(streams) >= 2
    assert all(streams)


def test_a_delayed_supervisor_postpones_its_judgement_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On one processor a thread that spins at real-time priority delays every check it can."""
    made = Supervisor(
        Callbacks(),  # type: ignore[arg-type]
        Telemetry(),
        on_opened=lambda device: None,
        on_state=lambda state, reason: None,
        standby=False,
        wait=False,
        recording=False,
    )
    process: Any = SimpleNamespace(read_telemetry=lambda: None)
    made._reported_at = made._checked_at = 0.0

    def judged(*times: float) -> list[bool]:
        return [made._hangs(process, now) for now in times]

    # Checked in time: it hangs as soon as the limit is over.
    steps = [round(0.05 * step, 2) for step in range(1, 21)]
    assert judged(*steps) == [*[False] * 19, True]
    made._reported_at = made._checked_at = 100.0
    # One delay: the process gets another half of the limit.
    assert judged(101.2, 101.25, 101.65, 101.7) == [False, False, False, False]
    made._reported_at = made._checked_at = 200.0
    # Delayed every time, by more than the share that is left: the limit ends it.
    assert judged(201.0, 201.9, 202.8, 203.7) == [False, False, False, True]


def test_a_disconnected_device_is_reported_before_its_process_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its memory is freed meanwhile; then the device is waited for by what it is: a card."""
    happened: list[str] = []
    waits: list[bool] = []

    class Unplugged(Process):
        async def next_event(self) -> Any:
            """Open the device, then lose it."""
            if self._opens:
                self._opens = False
                return DeviceOpened(
                    device="card",
                    rate_hz=48_000,
                    block_frames=64,
                    latency_s=0.0,
                    notices=(),
                    is_card=True,
                )
            return DeviceFailed("unplugged")

    class Wait:
        def close(self) -> None:
            """Nothing is open."""

        async def until_connected(
            self, request: DeviceRequest, limit_s: float, *, is_card: bool
        ) -> bool:
            """Never return."""
            waits.append(is_card)
            await asyncio.sleep(WAIT_S)
            return False

    async def take(*, at_first: bool) -> Process:
        return Unplugged(iter([True]))

    async def end(process: Process) -> None:
        happened.append("ended")

    async def run() -> None:
        made = Supervisor(
            Callbacks(),  # type: ignore[arg-type]
            Telemetry(),
            on_opened=lambda device: None,
            on_state=lambda state, reason: happened.append(state),
            standby=False,
            wait=False,
            recording=False,
        )
        processes = SimpleNamespace(take=take, end=end, maintain_standby=id, prepare=lambda: None)
        monkeypatch.setattr(made, "_processes", processes)
        with suppress(TimeoutError):
            await asyncio.wait_for(made.run(DeviceRequest(name="card")), WAIT_S)

    monkeypatch.setattr(supervisor, "DeviceWait", Wait)
    asyncio.run(run())
    assert happened == ["running", "no_device", "ended"]
    assert waits == [True]
