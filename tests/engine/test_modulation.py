"""Modulation effects in a rig: several in a row, as the player hears them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.builder.filled_chain import FilledChain
from nemod.builder.offline import render
from nemod.chain import read_chain
from nemod.control.settings import Settings
from nemod.engine.chain import EFFECTS
from nemod.fx.effect import chain, stereo_form
from nemod.fx.stereo import both_channels
from nemod.parameters.table import param

RATE_HZ = 48_000
KINDS = ("autowah", "chorus", "tremolo")
FRAMES = 4096


def test_a_rig_plays_them_one_after_the_other() -> None:
    """Compiled as one program, mono up to the first that makes two channels, by its tempo."""
    sound = np.random.default_rng(2).normal(0.0, 0.03, FRAMES).astype(np.float32)
    positions = {f"{kind}/enable": 1.0 for kind in KINDS}
    positions |= {
        "tremolo/harmonic": 1.0,
        "chorus/sync": 1.0,
        "tempo/bpm": param("tempo/bpm").position(150.0),
    }
    order = read_chain(list(KINDS))
    out = render(FilledChain(chain=order), sound, RATE_HZ, settings=positions, outputs=2)

    wah, *moving = (EFFECTS[kind](RATE_HZ) for kind in KINDS)
    whole = chain("whole", wah, both_channels(), *map(stereo_form, moving))
    targets = Settings(positions, chain=order).vector(whole.controls)
    assert targets[whole.controls.index("chorus/rate")] == pytest.approx(2.5)  # 150 a minute
    controls = np.repeat(targets[:, None], FRAMES, axis=1)
    state = whole.init(whole.weights, jnp.asarray(targets))
    _, expected = jax.jit(whole.process)(whole.weights, controls, state, sound)
    np.testing.assert_allclose(out, np.asarray(expected).T, atol=2e-6)
    assert np.max(np.abs(out)) > 0.005
    assert np.max(np.abs(out[:, 0] - out[:, 1])) > 0.001
