"""How loud a model is made: input calibration and output normalisation, by choice.

*Calibration*: a file may state which level at the pedal's input, in dBu, was full scale when it was
captured; with the interface's own figure the model hears what the pedal heard. *Normalisation*: the
model's loudness, from the file or measured, is brought to `TARGET_DB`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from nemod.builder.messages import Level
from nemod.common.units import amplitude_to_db, db_to_amplitude
from nemod.engine.devices.demo import phrase
from nemod.formats.model import Model
from nemod.formats.network import Gains, GainsWeights
from nemod.fx.nn.network import kernel

TARGET_DB = -18.0
"""[dB] What a normalised model's loudness is brought to."""
SKIP_S = 0.5
"""[s] Of the standard signal that is not counted: models start far from rest."""


@dataclass(frozen=True, slots=True)
class Levelled:
    """A model with its gains set, and what was done."""

    model: Model
    facts: Mapping[str, Any]
    """For `/nemo/model/info`: `loudness_db` and its source, `input_gain_db`, `output_gain_db`."""


def measured_loudness_db(model: Model) -> float:
    """Return the level [dB] of the model's output, root of the mean square, without its offset.

    The standard signal is the demo's phrase, at its own peak of 0.35, knobs at their middle.
    """
    sound = phrase(model.sample_rate)
    knobs = np.array([(knob.low + knob.high) / 2.0 for knob in model.knobs], np.float32)
    out = play_alone(model, sound, np.broadcast_to(knobs, (sound.size, knobs.size)))
    heard = out[round(SKIP_S * model.sample_rate) :].astype(np.float64)
    return amplitude_to_db(float(np.std(heard)))


def play_alone(
    model: Model, sound: NDArray[np.float32], knobs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the network's answer [frames] to sound [frames] and knob values [frames, knobs]."""
    net = kernel(model.network)
    inputs = np.concatenate([sound[:, None], knobs], axis=1)
    _, out = jax.jit(net.process)(model.weights, net.init(model.weights), inputs)
    return np.asarray(out)[:, 0]


def levelled(model: Model, level: Level) -> Levelled:
    """Return the model with the gains that are asked for; without any it is the same."""
    facts: dict[str, Any] = {}
    before_db = after_db = 0.0
    stated = model.metadata.get("input_level_dbu")
    if level.input_dbu is not None and isinstance(stated, int | float):
        # Full scale at the interface is `input_dbu`, full scale in the model is `stated`.
        before_db = level.input_dbu - float(stated)
    if level.normalize:
        loudness = model.metadata.get("loudness")
        if isinstance(loudness, int | float):
            loudness_db, source = float(loudness), "file"
        else:
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
