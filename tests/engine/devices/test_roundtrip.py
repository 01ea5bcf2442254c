"""The result of a round trip, from takes that are made by arithmetic."""

import re
import sys
from typing import Any

import numpy as np
import pytest
from scipy.signal import firwin, lfilter

from nemod.common.errors import AudioError
from nemod.engine.devices import roundtrip
from nemod.engine.devices.duplex import Duplex, DuplexRecording
from nemod.engine.devices.roundtrip import (
    NOISE_PEAK,
    Arrival,
    arrival,
    impulse_response,
    judge,
    measure,
    signal,
)
from nemod.engine.ipc import DeviceRequest
from nemod.engine.realtime import SWITCH_INTERVAL_S

RATE = 48_000
PLAYED = signal(RATE)


def take(recorded: Any) -> DuplexRecording:
    """Return a take of 64-frame blocks whose driver states two of them."""
    return DuplexRecording(
        recorded=np.asarray(recorded, np.float32),
        rate_hz=RATE,
        block_frames=64,
        driver_latency_s=128 / RATE,
        xruns=0,
    )


def late(frames: int, gain: float = 1.0) -> Any:
    """Return what was played, so many frames later."""
    return gain * np.concatenate([np.zeros(frames), PLAYED[: PLAYED.size - frames]])


@pytest.mark.parametrize("frames", [0, 1, 64, 517, 11_000])
def test_a_delay_is_found_to_the_frame(frames: int) -> None:
    """A copy that is late and half as loud, in noise 40 dB below it."""
    noise = np.random.default_rng(frames).normal(0.0, NOISE_PEAK / 200.0, PLAYED.size)
    found = arrival(take(late(frames, 0.5) + noise), PLAYED)
    assert found.frames == frames
    assert found.gain == pytest.approx(0.5, rel=1e-2)


def test_an_inverted_cable_has_a_negative_gain() -> None:
    """The sign of the impulse response tells."""
    found = arrival(take(late(300, -0.7)), PLAYED)
    assert found.frames == 300
    assert found.gain == pytest.approx(-0.7, rel=1e-3)


def test_a_converters_filter_counts_with_its_group_delay() -> None:
    """A linear-phase low-pass of 63 taps, as converters have them, adds its 31 frames."""
    filtered = lfilter(firwin(63, 0.9), 1.0, late(100))
    assert arrival(take(filtered), PLAYED).frames == 131


def test_the_impulse_response_is_that_of_the_way() -> None:
    """Two echoes are found in their places and sizes."""
    response = impulse_response(PLAYED, (late(10) + late(400, -0.25)).astype(np.float32))
    assert response[10] == pytest.approx(1.0, abs=0.02)
    assert response[400] == pytest.approx(-0.25, abs=0.02)


def hum() -> Any:
    """Return 50 Hz at -26 dBFS."""
    return 0.05 * np.sin(2.0 * np.pi * 50.0 * np.arange(PLAYED.size) / RATE)


def test_what_cannot_be_judged_says_why() -> None:
    """Nothing, something else, too loud, too quiet: a sentence each, with what to do."""
    cases = (
        (np.zeros(PLAYED.size), "nothing comes back: connect"),
        (np.full(PLAYED.size, 2e-5), "nothing comes back: connect"),
        (hum(), "is not what is played"),
        (np.clip(late(99, 6.0), -1.0, 1.0), "overloaded: turn"),
        (late(99, 0.005), "too quiet"),
        (np.full(PLAYED.size, np.nan), "not finite"),
    )
    for recorded, text in cases:
        with pytest.raises(AudioError, match=text):
            arrival(take(recorded), PLAYED)


def test_takes_that_agree_give_their_median_and_what_is_the_buffers() -> None:
    """The buffers are the driver's word, the rest is what remains."""
    found = judge([Arrival(n, -0.5) for n in (200, 201, 200)], take([0.0]), "card", 0)
    assert (found.frames, found.spread_frames) == (200, 1)
    assert (found.buffer_frames, found.rest_frames) == (128, 72)
    assert found.gain == -0.5
    assert found.ms(found.frames) == pytest.approx(1000 * 200 / 48_000)


def test_takes_that_contradict_each_other_are_no_answer() -> None:
    """All of them are named."""
    with pytest.raises(AudioError, match=re.escape("(200, 264, 200 frames): 2 blocks were lost;")):
        judge([Arrival(n, 1.0) for n in (200, 264, 200)], take([0.0]), "card", 2)


@pytest.mark.parametrize("name", ["demo", "null"])
def test_a_device_without_a_cable_is_refused(name: str) -> None:
    """The clocked devices have no input to measure."""
    with pytest.raises(AudioError, match="has no input to connect a cable to"):
        measure(DeviceRequest(name=name))


def test_takes_are_evaluated_when_the_device_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long transforms beside the sound would cost xruns, and the device would start anew."""
    is_open: list[bool] = []

    class Cable:
        rate_hz, name = RATE, "cable"

        def __init__(self, request: DeviceRequest) -> None:
            is_open.append(True)

        def __enter__(self) -> "Cable":
            return self

        def __exit__(self, *_: object) -> None:
            is_open.clear()

        def play_and_record(self, played: Any) -> DuplexRecording:
            return take(late(200))

    def evaluate(recording: DuplexRecording, played: Any) -> Arrival:
        assert not is_open
        return arrival(recording, played)

    monkeypatch.setattr(roundtrip, "Duplex", Cable)
    monkeypatch.setattr(roundtrip, "arrival", evaluate)
    found = measure(DeviceRequest(name="cable"))
    assert (found.frames, found.takes, found.spread_frames) == (200, roundtrip.TAKES, 0)


def test_the_devices_thread_gets_the_interpreter_at_once() -> None:
    """While the device is open: it shares the interpreter with this thread."""
    before = sys.getswitchinterval()
    with Duplex(DeviceRequest(name="null")):
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
    assert sys.getswitchinterval() == before
