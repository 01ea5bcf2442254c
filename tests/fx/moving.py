"""What the tests of the modulation effects share: controls by name, a sine, and the switch."""

import numpy as np
from numpy.typing import NDArray

from nemod.fx.effect import AnyEffect
from nemod.parameters.lfo_shapes import LFO_SHAPES
from nemod.parameters.table import param
from tests.fx.conftest import Play

RATE_HZ = 48_000.0
SHAPE = {name: float(number) for number, name in enumerate(LFO_SHAPES)}


def controls_of(effect: AnyEffect, **values: float) -> NDArray[np.float32]:
    """Return the controls [n] of an effect that is on; those not given have their defaults."""
    kind = effect.name
    given = {f"{kind}/{name}": value for name, value in {"enable": 1.0, **values}.items()}
    assert given.keys() <= set(effect.controls)
    rows = [param(path) for path in effect.controls]
    return np.array([given.get(row.path, row.control(row.default)) for row in rows], np.float32)


def sine_of(rate_hz: float, frames: int, ahead_deg: float = 0.0) -> NDArray[np.float64]:
    """Return the sine of an oscillator that begins its first cycle, in float64."""
    length = round(RATE_HZ / rate_hz)
    turns = np.arange(frames) / length + ahead_deg / 360.0
    return np.sin(2.0 * np.pi * turns)


def tone(hz: float, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a sine of half of full scale at these times in frames, silent before 0."""
    return np.where(at < 0.0, 0.0, 0.5 * np.sin(2.0 * np.pi * hz * at / RATE_HZ))


def check_off(play: Play, effect: AnyEffect, noise: NDArray[np.float32], **values: float) -> None:
    """Assert that off the output is the input to the bit, and that what was before is forgotten.

    Switched on again after frame 1,100, with these values, it plays as one that begins there.
    """
    assert np.array_equal(noise, play(effect, controls_of(effect, enable=0.0), noise, [64]))
    on = np.repeat(controls_of(effect, **values)[:, None], 4096, axis=1)
    again = on.copy()
    again[0, 1000:1100] = 0.0
    fresh = play(effect, on[:, 1100:3084], noise[1100:3084], [64])
    out = play(effect, again, noise, [64])
    assert np.array_equal(out[1000:1100], noise[1000:1100])
    np.testing.assert_allclose(out[1100:3084], fresh, atol=1e-6)
