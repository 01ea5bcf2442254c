"""The tuner's thread on a pipe without an audio process: on and off, another rate, a reference."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.control.events import NO_READING, EventStream, TunerReading
from nemod.control.settings import Settings
from nemod.daemon.tuner_thread import TunerThread
from nemod.parameters.table import param

A2, D3 = 110.0, 146.832


class Rig:
    """A tuner whose input is written by the test."""

    def __init__(self) -> None:
        self.events = EventStream()
        self.settings = Settings(events=self.events)
        self.switched: list[bool] = []
        self.tuner = TunerThread(self.settings, self.events, self.switched.append)
        self.listener = self.events.subscribe([TunerReading])
        self._time = 0

    def write(self, hz: float, rate_hz: int = 48_000, seconds: float = 0.05) -> None:
        """Write the next samples of a string."""
        time = (self._time + np.arange(round(seconds * rate_hz))) / rate_hz
        self._time += time.size
        waves: NDArray[np.float64] = sum(
            (np.sin(2.0 * np.pi * hz * n * time) / n for n in range(1, 6)), np.zeros(time.size)
        )
        os.write(self.tuner.input_w, (0.1 * waves).astype(np.float32).tobytes())

    async def until(
        self, is_there: Callable[[TunerReading], bool], hz: float = 0.0, rate_hz: int = 48_000
    ) -> TunerReading:
        """Write a string, if any, until there is such a reading. Raises: AssertionError."""
        for _ in range(100):
            if is_there(self.tuner.reading):
                return self.tuner.reading
            if hz:
                self.write(hz, rate_hz)
            await asyncio.sleep(0.02)
        raise AssertionError(f"still {self.tuner.reading}")


@asynccontextmanager
async def made() -> AsyncIterator[Rig]:
    """Return a rig whose tuner is off, at 48 kHz."""
    rig = Rig()
    rig.tuner.device_opened(48_000)
    try:
        yield rig
    finally:
        rig.tuner.close()


def run(scenario: Callable[[Rig], Awaitable[None]]) -> None:
    """Run a scenario with a rig."""

    async def all_of_it() -> None:
        async with made() as rig:
            await scenario(rig)

    asyncio.run(all_of_it())


def test_the_switch_starts_and_stops_the_stream_and_the_readings() -> None:
    """Readings are events; after the switch is off, there is an empty one and no other."""

    async def scenario(rig: Rig) -> None:
        rig.write(A2)
        await asyncio.sleep(0.12)
        assert rig.tuner.reading == NO_READING
        assert rig.switched == []
        rig.settings.set("tuner/enable", 1.0)
        reading = await rig.until(lambda one: one.note == "A2", A2)
        assert reading.hz == pytest.approx(A2, rel=1e-3)
        assert rig.listener.take()[-1] == reading
        rig.settings.set("tuner/enable", 0.0)
        assert (rig.tuner.reading, rig.switched) == (NO_READING, [True, False])
        assert rig.listener.take() == [NO_READING]
        rig.write(A2, seconds=0.3)
        await asyncio.sleep(0.12)
        assert rig.listener.take() == []

    run(scenario)


def test_what_was_left_in_the_pipe_is_not_read_after_the_next_start() -> None:
    """The note of the last time would be shown for a moment."""

    async def scenario(rig: Rig) -> None:
        rig.write(A2, seconds=1.0)
        rig.settings.set("tuner/enable", 1.0)
        await asyncio.sleep(0.1)
        await rig.until(lambda one: one.note == "D3", D3)
        heard = {event.note for event in rig.listener.take() if isinstance(event, TunerReading)}
        assert "A2" not in heard

    run(scenario)


def test_quick_presses_end_as_the_last_one_says() -> None:
    """Two threads never read at once."""

    async def scenario(rig: Rig) -> None:
        for state in (1.0, 0.0, 1.0, 0.0, 1.0):
            rig.settings.set("tuner/enable", state)
        assert rig.switched == [True, False, True, False, True]
        await rig.until(lambda one: one.note == "A2", A2)

    run(scenario)


def test_a_device_of_another_rate_is_read_at_its_rate() -> None:
    """As after a standby process has taken over; the readings go on."""

    async def scenario(rig: Rig) -> None:
        rig.settings.set("tuner/enable", 1.0)
        await rig.until(lambda one: one.note == "A2", A2)
        rig.tuner.device_opened(96_000)
        await rig.until(lambda one: one == NO_READING)
        reading = await rig.until(lambda one: one.note != "", A2, 96_000)
        assert reading.note == "A2"

    run(scenario)


def test_without_input_the_display_goes_empty() -> None:
    """When the device is gone, the last note must not stand for ever."""

    async def scenario(rig: Rig) -> None:
        rig.settings.set("tuner/enable", 1.0)
        await rig.until(lambda one: one.note == "A2", A2)
        await rig.until(lambda one: one == NO_READING)
        await rig.until(lambda one: one.note == "D3", D3)

    run(scenario)


def test_the_reference_is_followed() -> None:
    """110 Hz is 31.77 cents below A2 at 448.15 Hz."""

    async def scenario(rig: Rig) -> None:
        rig.settings.set("tuner/enable", 1.0)
        await rig.until(lambda one: one.note == "A2", A2)
        rig.settings.set("tuner/ref", param("tuner/ref").position(448.15))
        await rig.until(lambda one: abs(one.cents + 31.77) < 1.0, A2)

    run(scenario)


def test_a_fault_of_the_analysis_ends_the_readings_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The display goes empty; the switch starts it again."""

    async def scenario(rig: Rig) -> None:
        rig.settings.set("tuner/enable", 1.0)
        await rig.until(lambda one: one.note == "A2", A2)
        with monkeypatch.context() as patch:
            patch.setattr("nemod.tuner.tuner.Tuner.push", lambda *_: 1 / 0)
            await rig.until(lambda one: one == NO_READING, A2)
        rig.settings.set("tuner/enable", 0.0)
        rig.settings.set("tuner/enable", 1.0)
        await rig.until(lambda one: one.note == "A2", A2)

    run(scenario)
