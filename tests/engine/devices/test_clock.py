"""The clock device: blocks of a source, once a period."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from nemod.common.errors import AudioError
from nemod.engine.devices import clock
from nemod.engine.devices.base import CLOCK_RATE_HZ
from nemod.engine.devices.clock import GIVE_UP_S, ClockDevice, absolute_sleep
from nemod.engine.devices.demo import PhrasePlayer
from nemod.engine.devices.factory import open_device
from nemod.engine.engine import Engine
from nemod.engine.ipc import DeviceRequest

RATE_HZ, BLOCK = 48_000, 480


class Listener:
    """Keeps what the device passes to it, until `wanted` blocks have come."""

    def __init__(self, wanted: int) -> None:
        self.heard: list[float] = []
        self.threads: set[str] = set()
        self.done = threading.Event()
        self._wanted = wanted

    def __call__(self, block: Any, out: Any, *, xrun: bool) -> None:
        assert not xrun
        assert block.shape == out.shape == (BLOCK,)
        self.heard.append(float(block[0]))
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
    device = ClockDevice("test", RATE_HZ, BLOCK, counting())
    device.start(listener)
    assert listener.done.wait(10.0)
    device.close()
    assert listener.heard == list(range(1, len(listener.heard) + 1))
    assert listener.threads == {"nemod clock"}
    assert device.failure == ""


def test_two_outputs_have_a_block_of_two_rows() -> None:
    """Also of the demo and of silence, as they are requested."""
    shapes: list[tuple[int, ...]] = []
    done = threading.Event()

    def process(block: Any, out: Any, *, xrun: bool) -> None:
        shapes.append((*block.shape, *out.shape))
        done.set()

    request = DeviceRequest(name="null", output_channels=(1, 2), block_frames=BLOCK)
    device, _ = open_device(request)
    device.start(process)
    assert done.wait(10.0)
    device.close()
    assert set(shapes) == {(BLOCK, 2, BLOCK)}


def test_the_pace_is_that_of_the_clock() -> None:
    """Twenty blocks of 10 ms cannot have come in much less than their 200 ms."""
    listener = Listener(20)
    device = ClockDevice("test", RATE_HZ, BLOCK, counting())
    started = time.perf_counter()
    device.start(listener)
    assert listener.done.wait(10.0)
    took = time.perf_counter() - started
    device.close()
    assert took > 0.9 * 20 * BLOCK / RATE_HZ


def test_nothing_is_called_after_the_close() -> None:
    """Which waits for the last call; a second one does nothing."""
    listener = Listener(2)
    device = ClockDevice("test", RATE_HZ, BLOCK, counting())
    device.start(listener)
    assert listener.done.wait(10.0)
    device.close()
    heard = len(listener.heard)
    assert "nemod clock" not in {thread.name for thread in threading.enumerate()}
    device.close()
    time.sleep(3 * BLOCK / RATE_HZ)
    assert len(listener.heard) == heard


def simulated(monkeypatch: pytest.MonkeyPatch, stall_s: float, blocks: int = 200) -> list[float]:
    """Return when blocks began [s], where the fifth takes `stall_s`."""
    now = 100.0
    began: list[float] = []
    device = ClockDevice("test", RATE_HZ, BLOCK, lambda block: None)

    def sleep_until(due_s: float) -> None:
        nonlocal now
        now = max(now, due_s)

    def process(block: Any, out: Any, *, xrun: bool) -> None:
        nonlocal now
        began.append(now - 100.0)
        assert not xrun
        if len(began) == 5:
            now += stall_s
        if len(began) == blocks:
            device._stop.set()

    monkeypatch.setattr("nemod.engine.devices.clock.time.monotonic", lambda: now)
    device._sleep_until = sleep_until
    device._run(process)
    return began


def test_a_short_delay_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Late blocks follow at once, until the clock is back in time."""
    began = simulated(monkeypatch, 0.1)
    period_s = BLOCK / RATE_HZ
    np.testing.assert_allclose(began[:5], period_s * np.arange(1, 6), atol=1e-9)
    np.testing.assert_allclose(began[5:14], began[4] + 0.1, atol=1e-9)
    np.testing.assert_allclose(began[20:], period_s * np.arange(21, 201), atol=1e-9)


def test_after_a_long_delay_the_clock_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that was suspended does not rush through what it missed."""
    began = simulated(monkeypatch, 10.0)
    assert GIVE_UP_S < 10.0
    assert np.diff(began)[5:].min() > 0.9 * BLOCK / RATE_HZ


@pytest.mark.parametrize("rate_hz", [44_100, 96_000])
def test_no_rounding_adds_up(monkeypatch: pytest.MonkeyPatch, rate_hz: int) -> None:
    """The last of 20,000 blocks begins at its time to the microsecond."""
    now = 1e6
    began: list[float] = []
    device = ClockDevice("test", rate_hz, 64, lambda block: None)

    def sleep_until(due_s: float) -> None:
        nonlocal now
        now = due_s

    def process(block: Any, out: Any, *, xrun: bool) -> None:
        began.append(now)
        if len(began) == 20_000:
            device._stop.set()

    monkeypatch.setattr("nemod.engine.devices.clock.time.monotonic", lambda: now)
    device._sleep_until = sleep_until
    device._run(process)
    assert began[-1] - 1e6 == pytest.approx(20_000 * 64 / rate_hz, abs=1e-6)


@pytest.mark.parametrize("has_nanosleep", [True, False])
def test_sleep_ends_at_its_deadline(has_nanosleep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never before it, whether the C library has an absolute sleep or not; not at all if past."""

    def no_library(*_: Any, **__: Any) -> None:
        raise OSError("no C library")

    if not has_nanosleep:
        monkeypatch.setattr("nemod.engine.devices.clock.ctypes.CDLL", no_library)
    sleep_until = absolute_sleep()
    assert (sleep_until is clock._sleep_for) == (not has_nanosleep)
    for ahead_s in (0.02, 0.0005, 0.0, -1.0):
        before = time.monotonic()
        sleep_until(before + ahead_s)
        assert ahead_s <= time.monotonic() - before < 5.0


def test_late_wake_ups_are_no_xruns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine counts the one gap of two periods as late; nothing is lost, so no xrun."""
    monkeypatch.setattr("nemod.engine.engine.time.perf_counter", lambda: now[0])
    engine = Engine(RATE_HZ, BLOCK)
    device = ClockDevice("test", RATE_HZ, BLOCK, lambda block: None)
    assert not device.counts_xruns
    now, wakes = [50.0], iter([0.0, 0.01, 0.02, 0.045, 0.045, 0.05, 0.06])
    monkeypatch.setattr("nemod.engine.devices.clock.time.monotonic", lambda: now[0])

    def sleep_until(_due_s: float) -> None:
        at = next(wakes, None)
        if at is None:
            device._stop.set()
            return
        now[0] = 50.0 + at

    device._sleep_until = sleep_until
    device._run(engine.process)
    assert (engine._late, engine._xruns) == (1, 0)


def test_latency_is_one_block() -> None:
    """It has to be full before it is played."""
    assert ClockDevice("test", RATE_HZ, BLOCK, counting()).latency_s == pytest.approx(0.01)


# --- the devices that use it ----------------------------------------------------------------------


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


def test_the_phrase_begins_when_a_rig_plays_it_and_repeats() -> None:
    """Its position is the number of frames that the rig has played."""
    player = PhrasePlayer(RATE_HZ)
    total = 5 * RATE_HZ
    first, again, later = (np.empty(BLOCK, np.float32) for _ in range(3))
    player.fill(first)
    player.fill(again)
    np.testing.assert_array_equal(first, again)
    player.frames_played = lambda: 3 * total - 100
    player.fill(later)
    np.testing.assert_array_equal(later[100:], first[:-100])
