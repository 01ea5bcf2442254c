"""The clocked device: blocks of a source, once a period."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from nemod.common.errors import AudioError
from nemod.engine.devices.base import CLOCK_RATE_HZ, PhrasePlayer, open_device
from nemod.engine.devices.clock import GIVE_UP_S, ClockedDevice
from nemod.engine.ipc import DeviceRequest

RATE_HZ, BLOCK = 48_000, 480


class Listener:
    """Keeps what the device calls it with, until `wanted` blocks have come."""

    def __init__(self, wanted: int) -> None:
        self.heard: list[float] = []
        self.xruns: list[bool] = []
        self.threads: set[str] = set()
        self.done = threading.Event()
        self._wanted = wanted

    def __call__(self, block: Any, out: Any, *, xrun: bool = False) -> None:
        assert block.shape == out.shape == (BLOCK,)
        self.heard.append(float(block[0]))
        self.xruns.append(xrun)
        self.threads.add(threading.current_thread().name)
        if len(self.heard) == self._wanted:
            self.done.set()


def counting() -> Any:
    """Return a source whose n-th block is full of n."""
    count = iter(range(1, 1_000_000))
    return lambda block: block.fill(next(count))


def test_every_block_of_the_source_is_played_in_order_on_a_thread_of_its_own() -> None:
    """From the first on, without a gap."""
    listener = Listener(10)
    device = ClockedDevice("test", RATE_HZ, BLOCK, counting())
    device.start(listener)
    assert listener.done.wait(10.0)
    device.close()
    assert listener.heard == list(range(1, len(listener.heard) + 1))
    assert listener.threads == {"nemod clock"}
    assert device.failure == ""


def test_the_pace_is_that_of_the_clock() -> None:
    """Twenty blocks of 10 ms cannot have come in much less than their 200 ms."""
    listener = Listener(20)
    device = ClockedDevice("test", RATE_HZ, BLOCK, counting())
    started = time.perf_counter()
    device.start(listener)
    assert listener.done.wait(10.0)
    took = time.perf_counter() - started
    device.close()
    assert took > 0.9 * 20 * BLOCK / RATE_HZ


def test_nothing_is_called_after_the_close() -> None:
    """Which waits for the last call; a second one does nothing."""
    listener = Listener(2)
    device = ClockedDevice("test", RATE_HZ, BLOCK, counting())
    device.start(listener)
    assert listener.done.wait(10.0)
    device.close()
    heard = len(listener.heard)
    assert "nemod clock" not in {thread.name for thread in threading.enumerate()}
    device.close()
    time.sleep(3 * BLOCK / RATE_HZ)
    assert len(listener.heard) == heard


def simulated(monkeypatch: pytest.MonkeyPatch, stall_s: float) -> tuple[list[float], list[bool]]:
    """Return when blocks began and which were told as late, where the fifth takes `stall_s`."""
    now = 100.0
    began: list[float] = []
    late: list[bool] = []
    device = ClockedDevice("test", RATE_HZ, BLOCK, lambda block: None)

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def process(block: Any, out: Any, *, xrun: bool = False) -> None:
        began.append(now - 100.0)
        late.append(xrun)
        if len(began) == 5:
            sleep(stall_s)
        if len(began) == 200:
            device._stop.set()

    monkeypatch.setattr("nemod.engine.devices.clock.time.perf_counter", lambda: now)
    monkeypatch.setattr("nemod.engine.devices.clock.time.sleep", sleep)
    device._run(process)
    return began, late


def test_a_short_delay_is_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Late blocks follow at once and are told, until the clock is on its old time again."""
    began, late = simulated(monkeypatch, 0.1)
    period_s = BLOCK / RATE_HZ
    # The fifth began at 5 periods; ten periods later nine more are due, those more than one
    # period late being dropouts.
    assert sum(late) == 8
    np.testing.assert_allclose(began[20:], period_s * np.arange(21, 201), atol=1e-9)


def test_after_a_long_delay_the_clock_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept does not rush through what it missed."""
    began, late = simulated(monkeypatch, 10.0)
    assert GIVE_UP_S < 10.0
    assert sum(late) == 1
    assert np.diff(began)[5:].min() > 0.9 * BLOCK / RATE_HZ


def test_latency_is_one_block() -> None:
    """It has to be full before it is played."""
    assert ClockedDevice("test", RATE_HZ, BLOCK, counting()).latency_s == pytest.approx(0.01)


# --- the devices that it is ----------------------------------------------------------------------


def test_null_is_silence_on_a_clock() -> None:
    """At the rate that is asked for, else at its own."""
    device, player = open_device(DeviceRequest(name="null", block_frames=BLOCK))
    assert (device.name, device.rate_hz, device.block_frames) == ("null", CLOCK_RATE_HZ, BLOCK)
    assert player is None
    assert open_device(DeviceRequest(name="null", rate_hz=44_100))[0].rate_hz == 44_100
    block = np.ones(BLOCK, np.float32)
    device._source(block)  # type: ignore[attr-defined]
    assert not block.any()


@pytest.mark.parametrize("trouble", ["no PortAudio", "no sound card"])
def test_the_demo_needs_no_sound_card(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    """Nor PortAudio: it plays on a clock."""

    def default_output() -> None:
        if trouble == "no PortAudio":
            raise AudioError("PortAudio is not installed")

    monkeypatch.setattr("nemod.engine.devices.portaudio.default_output", default_output)
    device, player = open_device(DeviceRequest(name="demo", rate_hz=44_100))
    assert (device.name, device.rate_hz) == ("demo", 44_100)
    assert isinstance(player, PhrasePlayer)


def test_the_phrase_begins_when_a_rig_plays_it_and_goes_round() -> None:
    """Its place is how far the rig has come."""
    player = PhrasePlayer(RATE_HZ)
    total = 5 * RATE_HZ
    first, again, later = (np.empty(BLOCK, np.float32) for _ in range(3))
    player.fill(first)
    player.fill(again)
    np.testing.assert_array_equal(first, again)
    player.frames_played = lambda: 3 * total - 100
    player.fill(later)
    np.testing.assert_array_equal(later[100:], first[:-100])
