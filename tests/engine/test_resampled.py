"""Models at another rate than the device's, compared with offline resampling of their output."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

import nemod
from nemod import load_model
from nemod.builder.build import build
from nemod.builder.rate_policy import rate_policy
from nemod.control.settings import Settings
from nemod.engine.compiled_rig import CompiledSteps
from nemod.engine.resampled import lead_and_latency, settle_frames
from nemod.formats.model import Model
from nemod.formats.network import Dense, Lstm, Residual, Stack
from nemod.formats.rate import with_state_delay
from nemod.library import shipped_folder
from tests.engine.conftest import tiny
from tests.parts.cells import high_gain, slow_memory


def esr_db(answer: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Error-to-signal ratio in dB, without the ends, where scipy's filter reads past the signal."""
    inner = slice(expected.size // 10, min(answer.size, expected.size) * 19 // 20)
    error = answer[inner].astype(np.float64) - expected[inner]
    return float(10.0 * np.log10(np.sum(error**2) / np.sum(expected[inner].astype(float) ** 2)))


def tune(rate: int, seconds: float = 0.6) -> NDArray[np.float32]:
    """Low tones, far below half of any rate, faded in."""
    time = np.arange(round(seconds * rate)) / rate
    tones = sum(np.sin(2 * np.pi * f * time + f) / (1 + k) for k, f in enumerate((110, 247, 660)))
    return (0.2 * np.minimum(1.0, 20.0 * time) * tones).astype(np.float32)


def shipped(rate: int) -> Model:
    """The shipped LSTM, as if it were made for a rate."""
    return replace(load_model(shipped_folder() / "clipper-lstm16.json"), sample_rate=rate)


@pytest.mark.parametrize(
    ("model_rate", "rate", "policy", "worst_db"),
    [
        (48_000, 44_100, "resample", -60.0),
        (44_100, 48_000, "delay", -60.0),
        (48_000, 96_000, "delay", -60.0),
    ],
)
def test_another_rate_sounds_like_the_models_own(
    model_rate: int, rate: int, policy: str, worst_db: float
) -> None:
    """The error against scipy's offline resampling of the exact output is far below the signal."""
    model = shipped(model_rate)
    assert rate_policy(model.network, model_rate, rate) == policy
    sound = tune(rate)
    common = int(np.gcd(rate, model_rate))
    up, down = model_rate // common, rate // common
    exact = nemod.render(model, resample_poly(sound, up, down).astype(np.float32), model_rate)
    expected = resample_poly(exact, down, up).astype(np.float32)
    answer = nemod.render(model, sound, rate)
    assert answer.size == sound.size
    assert esr_db(answer, expected) < worst_db


LONG = pytest.mark.long
OTHERS = (22_050, 64_000, 88_200, 176_400, 192_000)


@pytest.mark.parametrize("rate", [44_100, 96_000, *(pytest.param(r, marks=LONG) for r in OTHERS)])
@pytest.mark.parametrize("model", [slow_memory(), high_gain()], ids=lambda model: model.name)
def test_sensitive_cells_keep_their_sound(model: Model, rate: int) -> None:
    """Slow memory and high gain: an error below 1e-3 of the sound, and silence after it.

    With a gain above 1 in its loop the first of them oscillates at 88.2 kHz.
    """
    sound = tune(rate)
    common = int(np.gcd(rate, 48_000))
    up, down = 48_000 // common, rate // common
    exact = nemod.render(model, resample_poly(sound, up, down).astype(np.float32), 48_000)
    expected = resample_poly(exact, down, up).astype(np.float32)
    silence = np.zeros(rate // 2, np.float32)
    answer = nemod.render(model, np.concatenate([sound, silence]), rate)
    assert esr_db(answer[: sound.size], expected) < -30.0
    assert np.std(answer[-rate // 10 :]) < 1e-4


def test_without_the_state_delay_the_same_model_is_wrong() -> None:
    """The test above would fail: at the wrong rate the error is much larger."""
    model = shipped(48_000)
    sound = tune(96_000)
    exact = nemod.render(model, resample_poly(sound, 1, 2).astype(np.float32), 48_000)
    expected = resample_poly(exact, 2, 1).astype(np.float32)
    wrong = nemod.render(replace(model, sample_rate=96_000), sound, 96_000)
    right = nemod.render(model, sound, 96_000)
    assert esr_db(wrong, expected) > esr_db(right, expected) + 30.0


@pytest.mark.parametrize("block", [32, 64, 1024])
@pytest.mark.parametrize(
    ("model_rate", "rate"), [(48_000, 44_100), (44_100, 48_000), (48_000, 96_000)]
)
def test_no_frame_is_ever_missing(model_rate: int, rate: int, block: int) -> None:
    """The output queue never runs empty; the latency is a few milliseconds plus a block."""
    lead, latency = lead_and_latency(rate, model_rate, block)
    assert 0 < lead <= latency
    assert latency < 0.006 * rate + block
    assert settle_frames(rate, model_rate) * rate % model_rate == 0


@pytest.mark.parametrize("block", [64, 256])
def test_bypass_is_aligned_with_the_resampled_model(block: int) -> None:
    """The dry signal is delayed like the model's: rendered, neither is late."""
    model = replace(tiny("LSTM"), sample_rate=48_000)
    sound = tune(44_100)
    dry = nemod.render(model, sound, 44_100, settings={"bypass": 1.0}, block=block)
    np.testing.assert_array_equal(dry, sound)


def test_a_resampled_rig_starts_at_rest() -> None:
    """Silence in, silence out from the first frame, although the model rests at an offset."""
    model = replace(tiny("LSTM"), sample_rate=48_000)
    built = build(model, 44_100, 64, Settings())
    out = nemod.render(model, np.zeros(4410, np.float32), 44_100)
    assert built.policies["model"] == "resample"
    assert isinstance(built.shipped, CompiledSteps)
    conversion = built.shipped.steps[1].conversion
    assert conversion is not None
    assert abs(conversion.rest) > 1e-4
    assert np.abs(out).max() < 1e-4


def test_only_recurrent_layers_are_delayed() -> None:
    """All other layers stay the same."""
    network = Residual(Stack((Lstm(1, 4), Dense(4, 1))))
    delayed: Any = with_state_delay(network, 2.0)
    assert delayed == Residual(Stack((Lstm(1, 4, (0.0, 1.0)), Dense(4, 1))))
