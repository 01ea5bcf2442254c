"""The level of a model: optional input calibration and output normalisation.

*Calibration*: a file may state which level [dBu] at the pedal's input was full scale when it was
recorded; with the audio interface's own figure the model gets the level that the pedal got.
*Normalisation*: the model's loudness, from the file or measured, is brought to `TARGET_DB`.

In a chain a model is adjusted for what reaches it. The first of a line gets the guitar. A later one
gets the output of the model before it: with calibration, the level at which that model's file says
its output was full scale stands for the interface's. With normalisation that output is as loud as
`TARGET_DB`, so its loudness is measured for a signal as loud as that, and what its file states, for
the guitar, is not used. Effects between two models count as flat.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import jax
import numpy as np
from numpy.typing import NDArray

from nemod.builder.build import at_slot
from nemod.builder.messages import Level
from nemod.chain import Chain, Slot, Split
from nemod.chain.chain import MODEL
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


def measured_loudness_db(model: Model, input_db: float | None = None) -> float:
    """Return the level [dB] of the model's output, root of the mean square, without its offset.

    The standard signal is the demo's phrase, at its own peak of 0.35 or with the loudness
    `input_db` [dB], knobs at their middle.
    """
    key = _digest(model, input_db)
    if key not in _MEASURED:
        if len(_MEASURED) >= _KEPT_MEASURED:
            _MEASURED.clear()
        _MEASURED[key] = _measured_db(model, input_db)
    return _MEASURED[key]


_MEASURED: dict[str, float] = {}
"""Loudness [dB] of what was measured, by digest: a measurement takes seconds."""
_KEPT_MEASURED = 256


def _measured_db(model: Model, input_db: float | None) -> float:
    audio = phrase(model.sample_rate)
    start = round(SKIP_S * model.sample_rate)
    if input_db is not None:
        own_db = amplitude_to_db(float(np.std(audio[start:].astype(np.float64))))
        audio = audio * np.float32(db_to_amplitude(input_db - own_db))
    knobs = np.array([(knob.low + knob.high) / 2.0 for knob in model.knobs], np.float32)
    out = play_alone(model, audio, np.broadcast_to(knobs, (audio.size, knobs.size)))
    return amplitude_to_db(float(np.std(out[start:].astype(np.float64))))


def _digest(model: Model, input_db: float | None) -> str:
    what = (model.network, model.sample_rate, model.knobs, input_db)
    digest = hashlib.sha256(repr(what).encode())
    for leaf in jax.tree.leaves(model.weights):
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()


def play_alone(
    model: Model, audio: NDArray[np.float32], knobs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the network's output [frames] for audio [frames] and knob values [frames, knobs]."""
    net = kernel(model.network)
    inputs = np.concatenate([audio[:, None], knobs], axis=1)
    _, out = jax.jit(net.process)(model.weights, net.init(model.weights), inputs)
    return np.asarray(out)[:, 0]


def levelled(model: Model, level: Level, before: "Levelled | None" = None) -> Levelled:
    """Return the model with the requested gains; the same model if they are 0 dB.

    `before` is the model whose output reaches it; None where the guitar does.
    """
    facts: dict[str, float | str] = {}
    after_db = 0.0
    before_db = _calibration_db(model, level, before)
    if level.normalize and before is not None:
        loudness_db = measured_loudness_db(model, TARGET_DB + before_db)
        facts |= {"loudness_db": loudness_db, "loudness_source": "measured behind another model"}
        after_db = TARGET_DB - loudness_db
    elif level.normalize:
        stated_db = model.info.loudness_db
        loudness_db = measured_loudness_db(model) if stated_db is None else stated_db
        source = "measured" if stated_db is None else "file"
        facts |= {"loudness_db": loudness_db, "loudness_source": source}
        after_db = TARGET_DB - loudness_db
    facts |= {"input_gain_db": before_db, "output_gain_db": after_db}
    if before_db == after_db == 0.0:
        return Levelled(model, facts)
    gains = np.float32(db_to_amplitude(before_db)), np.float32(db_to_amplitude(after_db))
    if isinstance(model.network, Gains):
        own = model.weights
        weights = own._replace(before=own.before * gains[0], after=own.after * gains[1])
        return Levelled(replace(model, weights=weights, probe=None), facts)
    weights = GainsWeights(np.asarray(gains[0]), np.asarray(gains[1]), model.weights)
    changed = replace(model, network=Gains(model.network), weights=weights, probe=None)
    return Levelled(changed, facts)


def _calibration_db(model: Model, level: Level, before: Levelled | None) -> float:
    """Return the gain [dB] that gives a model the level that the pedal got; 0 where it is unknown.

    Full scale in the model is what its file states; full scale of what reaches it is that of the
    interface, or that of the model before it.
    """
    stated = model.info.input_level_dbu
    if level.input_dbu is None or stated is None:
        return 0.0
    if before is None:
        return level.input_dbu - stated
    delivered = before.model.info.output_level_dbu
    if delivered is None:
        return 0.0
    return delivered - float(before.facts["output_gain_db"]) - stated


def levelled_chain(chain: Chain, models: Mapping[str, Model], level: Level) -> dict[str, Levelled]:
    """Return the models of a chain, by slot, each adjusted for what reaches it.

    Behind a split of which both branches hold a model, what reaches a model is that of branch a.
    Raises: ModelError; its `slot` is at fault.
    """
    done: dict[str, Levelled] = {}

    def follow(slots: Iterable[Slot], before: Levelled | None) -> Levelled | None:
        for slot in slots:
            if slot.kind == MODEL and slot.name in models:
                with at_slot(slot.name):
                    before = done[slot.name] = levelled(models[slot.name], level, before)
        return before

    before: Levelled | None = None
    for place in chain.places:
        if isinstance(place, Split):
            ends = [follow(branch, before) for branch in place.branches]
            before = next((end for end in ends if end is not before), before)
        else:
            before = follow((place,), before)
    return done
