"""Gain: multiplication by a control."""

import numpy as np

from nemod.fx.gain import gain


def test_multiplies_every_frame_by_its_control(play, noise):
    """Equal to the float32 product, frame by frame."""
    ramp = np.linspace(0.0, 4.0, len(noise), dtype=np.float32)
    assert np.array_equal(noise * ramp, play(gain("input"), ramp[None, :], noise, [64]))


def test_unity_leaves_every_bit(play, noise):
    """0 dB changes nothing."""
    assert np.array_equal(noise, play(gain("output"), [1.0], noise))


def test_has_the_control_of_its_path():
    """Its control is the path that it was given."""
    assert gain("level").controls == ("level",)
