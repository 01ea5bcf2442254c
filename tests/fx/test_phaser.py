"""Phaser: its notches and its response against the analytic all-pass chain."""

import numpy as np
import pytest

from nemod.fx.effect import stereo_form
from nemod.fx.phaser import SWEEP_OCTAVES, phaser
from nemod.parameters.modulation_table import PHASER_STAGES
from tests.fx.moving import RATE_HZ, check_off, controls_of, sine_of

PHASER = phaser(RATE_HZ)
FRAMES = 9600
IMPULSE = np.eye(1, FRAMES)[0]
HZ = np.fft.rfftfreq(FRAMES, 1.0 / RATE_HZ)


@pytest.mark.parametrize("feedback", [0.0, 0.7])
@pytest.mark.parametrize("stages", PHASER_STAGES)
def test_the_response_is_that_of_the_analogue_chain(play, stages, feedback):
    """H = 1/2 + 1/2 A / (1 - feedback A), A = ((1 - s) / (1 + s))^N with frequencies warped."""
    at = float(PHASER_STAGES.index(stages))
    controls = controls_of(PHASER, depth=0.0, frequency=700.0, stages=at, feedback=feedback)
    out = play(PHASER, controls, IMPULSE, [64]).astype(np.float64)
    s = 1j * np.tan(np.pi * HZ[:-1] / RATE_HZ) / np.tan(np.pi * 700.0 / RATE_HZ)
    turned = ((1.0 - s) / (1.0 + s)) ** stages
    analytic = 0.5 + 0.5 * turned / (1.0 - feedback * turned)
    np.testing.assert_allclose(np.fft.rfft(out)[:-1], analytic, atol=1e-4)


@pytest.mark.parametrize("stages", PHASER_STAGES)
def test_notches_are_where_the_chain_turns_the_phase_by_half_a_turn(play, stages):
    """Of N filters there are N / 2: at tan(pi (2 k - 1) / (2 N)) times the warped frequency."""
    at = float(PHASER_STAGES.index(stages))
    controls = controls_of(PHASER, depth=0.0, frequency=700.0, stages=at, feedback=0.0)
    size = np.abs(np.fft.rfft(play(PHASER, controls, IMPULSE, [64]).astype(np.float64)))
    low = np.flatnonzero((size[1:-1] < size[:-2]) & (size[1:-1] <= size[2:])) + 1
    found = [bin_ for bin_ in low if size[bin_] < 0.1]
    odd = np.arange(1, stages, 2)
    warped = np.tan(np.pi * odd / (2.0 * stages)) * np.tan(np.pi * 700.0 / RATE_HZ)
    np.testing.assert_allclose(HZ[found], np.arctan(warped) * RATE_HZ / np.pi, atol=HZ[1])


def chain_in_float64(signal, corner_hz, stages, feedback):
    """Return the turned sound: each filter by its capacitor's trapezoidal rule, loop solved."""
    charge = np.zeros(stages)
    out = []
    for sample, hz in zip(signal.astype(np.float64), corner_hz, strict=True):
        g = np.tan(np.pi * hz / RATE_HZ)

        def through(x, charge=charge, g=g):
            """Return the output, and the charges after it."""
            after = []
            for held in charge:
                low = (g * x + held) / (1.0 + g)
                after.append(low + g * (x - low))
                x = 2.0 * low - x
            return x, np.array(after)

        silence, one = through(0.0)[0], through(1.0)[0]
        y = (silence + (one - silence) * sample) / (1.0 - feedback * (one - silence))
        _, charge = through(sample + feedback * y)
        out.append(y)
    return np.array(out)


def test_a_fast_sweep_is_that_of_the_moving_filters(play, noise):
    """At 10 Hz and full depth, in both channels, the right one ahead: no zipper noise."""
    both = stereo_form(PHASER)
    sides = np.stack([noise, noise[::-1]])[:, :1216]
    controls = controls_of(both, rate=10.0, depth=1.0, stages=1.0, feedback=0.6, mix=1.0)
    out = play(both, controls, sides, [64])
    for side, signal, ahead in zip(out, sides, (0.0, 90.0), strict=True):
        corner_hz = 800.0 * 2.0 ** (SWEEP_OCTAVES * sine_of(10.0, 1216, ahead))
        expected = chain_in_float64(signal, corner_hz, 6, 0.6)
        np.testing.assert_allclose(side, expected, atol=2e-4)


def test_a_number_of_stages_between_two_mixes_both_chains(play, noise):
    """So a change of it does not click."""
    each = [
        play(PHASER, controls_of(PHASER, stages=at, feedback=0.0), noise, [64]) for at in (1.0, 2.0)
    ]
    between = play(PHASER, controls_of(PHASER, stages=1.25, feedback=0.0), noise, [64])
    np.testing.assert_allclose(between, 0.75 * each[0] + 0.25 * each[1], atol=1e-5)


def test_off_is_the_input_to_the_bit_and_forgets_what_was_played(play, noise):
    """Switched on again, it is as at first."""
    check_off(play, PHASER, noise)
