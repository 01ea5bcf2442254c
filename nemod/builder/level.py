"""The level of a model: optional input calibration and output normalisation.

*Calibration*: a file may state which level [dBu] at the pedal's input was full scale when it was
recorded; with the audio interface's own figure the model gets the level that the pedal got.
*Normalisation*: the model's loudness, from the file or measured, is brought to `TARGET_DB`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax
import numpy as np
from numpy.typing import NDArray

from nemod.builder.messages import Level
from nemod.common.units import amplitude_to_db, db_to_amplitude
from nemod.engine.devices.demo import phrase
from nemod.formats.model import Model
from nemod.formats.network import Gains
from nemod.formats.weights import GainsWeights
from nemod.fx.nn.network import kernel

TARGET_DB = -18.0
"""[dB] Loudness of a normalised model."""
SKIP_S = 0.5
"""[s] Beginning of the standard signal that is not measured: models start far from rest."""


@dataclass(frozen=True, slots=True)
class Levelled:
    """A model with its gains set, and what was set."""

    model: Model
    facts: Mapping[str, float | str]
    """For `/nemo/model/info`: `loudness_db` and its source, `input_gain_db`, `output_gain_db`."""


def measured_loudness_db(model: Model) -> float:
    """Return the level [dB] of the model's output, root of the mean square, without its offset.

    The standard signal is the demo's phrase, at its own peak of 0.35, knobs at their middle.
    """
    audio = phrase(model.sample_rate)
    knobs = np.array([(knob.low + knob.high) / 2.0 for knob in model.knobs], np.float32)
    out = play_alone(model, audio, np.broadcast_to(knobs, (audio.size, knobs.size)))
    measured = out[round(SKIP_S * model.sample_rate) :].astype(np.float64)
    return amplitude_to_db(float(np.std(measured)))


def play_alone(
    model: Model, audio: NDArray[np.float32], knobs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the network's output [frames] for audio [frames] and knob values [frames, knobs]."""
    net = kernel(model.network)
    inputs = np.concatenate([audio[:, None], knobs], axis=1)
    _, out = jax.jit(net.process)(model.weights, net.init(model.weights), inputs)
    return np.asarray(out)[:, 0]


def levelled(model: Model, level: Level) -> Levelled:
    """Return the model with the requested gains; the same model if they are 0 dB."""
    facts: dict[str, float | str] = {}
    before_db = after_db = 0.0
    stated = model.info.input_level_dbu
    if level.input_dbu is not None and stated is not None:
        # Full scale at the interface is `input_dbu`, full scale in the model is `stated`.
        before_db = level.input_dbu - stated
    if level.normalize:
        loudness_db, source = model.info.loudness_db, "file"
        if loudness_db is None:
            loudness_db, source = measured_loudness_db(model), "measured"
        facts |= {"loudness_db": loudness_db, "loudness_source": source}
        after_db = TARGET_DB - loudness_db
    facts |= {"input_gain_db": before_db, "output_gain_db": after_db}
    if before_db == after_db == 0.0:
        return Levelled(model, facts)
    before, after = np.float32(db_to_amplitude(before_db)), np.float32(db_to_amplitude(after_db))
    if isinstance(model.network, Gains):
        own = model.weights
        weights = own._replace(before=own.before * before, after=own.after * after)
        return Levelled(replace(model, weights=weights, probe=None), facts)
    weights = GainsWeights(np.asarray(before), np.asarray(after), model.weights)
    changed = replace(model, network=Gains(model.network), weights=weights, probe=None)
    return Levelled(changed, facts)
