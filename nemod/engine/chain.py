"""From a chain to its effects: what the kinds of slots are made of, in the order of the signal.

To add an effect, write it in `nemod.fx`, give each of its knobs a row in `nemod.parameters.table`,
its kind a place in `nemod.chain`, and add it to `EFFECTS` here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from nemod.chain import DEFAULT_CHAIN, Chain, Slot, Split
from nemod.chain.chain import CABINET, MODEL
from nemod.formats.model import Model
from nemod.fx.autowah import autowah
from nemod.fx.bypass import mute
from nemod.fx.chorus import chorus
from nemod.fx.compressor import compressor
from nemod.fx.dc import dc_blocker
from nemod.fx.delay import delay
from nemod.fx.effect import AnyEffect
from nemod.fx.eq import eq
from nemod.fx.flanger import flanger
from nemod.fx.gain import gain
from nemod.fx.gate import gate
from nemod.fx.limiter import limiter
from nemod.fx.phaser import phaser
from nemod.fx.reverb import cheap_reverb, reverb
from nemod.fx.split import branch_mix
from nemod.fx.tremolo import tremolo
from nemod.parameters.slot_paths import slot_path

MakeEffect = Callable[[float], AnyEffect]
"""sample rate [Hz] -> effect"""

EFFECTS: Mapping[str, MakeEffect] = {
    "gate": gate,
    "comp": compressor,
    "autowah": autowah,
    "eq": eq,
    "phaser": phaser,
    "chorus": chorus,
    "flanger": flanger,
    "tremolo": tremolo,
    "delay": delay,
    "reverb": reverb,
}
"""By kind of slot."""

CHEAP_EFFECTS: Mapping[str, MakeEffect] = {**EFFECTS, "reverb": cheap_reverb}
"""Likewise for a machine that is too slow."""

UNITY = ""
"""Stands for a path where a control stays at 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A chain with what its slots hold, for one sample rate and block size."""

    chain: Chain = DEFAULT_CHAIN
    models: Mapping[str, Model] = field(default_factory=dict)
    """By the name of their slot; an empty slot is missing."""
    cabinets: Mapping[str, AnyEffect] = field(default_factory=dict)
    """Likewise."""
    effects: Mapping[str, MakeEffect] = field(default_factory=lambda: EFFECTS)
    """What makes the effects, by kind. Another effect of a kind needs another name."""


class Placed(NamedTuple):
    """An effect in its place."""

    effect: AnyEffect
    paths: tuple[str, ...]
    """Canonical paths of its controls (see `nemod.parameters.slot_paths`), or `UNITY`."""
    slot: str = ""
    """Whose tails it has: the same effect in the next rig's slot of this name continues them."""
    is_mono: bool = False
    """Whether what stands before it, and its own output, have one channel in every rig."""


class PlacedModel(NamedTuple):
    """A model in its place, with what surrounds it wherever it stands."""

    slot: str
    model: Model
    paths: tuple[str, ...]
    """Canonical paths of its knobs."""
    drive: Placed | None
    """Before the model; None where it has a first knob, which replaces it."""
    fader: Placed | None
    """Behind it; None where it has a second knob."""
    is_first: bool
    """Whether the fader is that of the whole rig, which follows all other effects."""


class Fork(NamedTuple):
    """Two branches and their mix."""

    a: "Path"
    b: "Path"
    mix: Placed


Path: TypeAlias = tuple[Placed | PlacedModel | Fork, ...]
"""Effects and models in the order of the signal."""


class RigEffects(NamedTuple):
    """All effects of a rig. The bypass mixes the input of `wet` with its output."""

    wet: Path
    after_bypass: tuple[Placed, ...]
    last: Placed
    """The output meter shows the peak of its input."""


def rig_effects(content: Content, rate_hz: float) -> RigEffects:
    """Return the effects of a chain: its slots between the trims, and the limiter last."""
    chain = content.chain
    first = chain.first(MODEL)
    level: Path = ()
    if first is not None and not _has_knob(content, first, 2):
        level = (_fader(chain, first.name),)
    wet = (
        _placed(gain("input")),
        *(each for place in chain.places for each in _place(content, place, rate_hz)),
        *level,
        _placed(gain("output")),
    )
    return RigEffects(wet, (_placed(mute()),), _placed(limiter(rate_hz)))


def model_effects(content: Content, slot: str) -> PlacedModel:
    """Return a model with what surrounds it. Raises: KeyError for an empty slot."""
    chain, model = content.chain, content.models[slot]
    count = len(model.knobs)
    return PlacedModel(
        slot=slot,
        model=model,
        paths=tuple(slot_path(chain, slot, f"knob/{number + 1}") for number in range(count)),
        drive=None if count >= 1 else _drive(chain, slot),
        fader=None if count >= 2 else _fader(chain, slot),
        is_first=chain.is_first(slot),
    )


def behind_each_model(rate_hz: float) -> Placed:
    """Return what removes the offset of a model."""
    return _placed(dc_blocker(rate_hz))._replace(is_mono=True)


def _place(content: Content, place: Slot | Split, rate_hz: float) -> Path:
    chain = content.chain
    if isinstance(place, Split):
        a, b = (
            tuple(each for slot in branch for each in _place(content, slot, rate_hz))
            for branch in place.branches
        )
        mix = _in_slot(branch_mix(), chain, place.name)._replace(is_mono=True)
        return (Fork(a, b, mix),)
    if place.kind == MODEL:
        if place.name in content.models:
            return (model_effects(content, place.name),)
        drive = _drive(chain, place.name)
        return (drive,) if chain.is_first(place.name) else (drive, _fader(chain, place.name))
    if place.kind == CABINET:
        own = content.cabinets.get(place.name)
        return () if own is None else (_in_slot(own, chain, place.name)._replace(is_mono=True),)
    return (_in_slot(content.effects[place.kind](rate_hz), chain, place.name),)


def _has_knob(content: Content, slot: Slot, number: int) -> bool:
    """Return whether a slot's model has this knob, counted from 1."""
    return slot.name in content.models and len(content.models[slot.name].knobs) >= number


def _drive(chain: Chain, slot: str) -> Placed:
    return Placed(gain("gain"), (slot_path(chain, slot, "gain"),))


def _fader(chain: Chain, slot: str) -> Placed:
    return Placed(gain("level"), (slot_path(chain, slot, "level"),))


def _placed(effect: AnyEffect) -> Placed:
    """Return an effect that belongs to no slot."""
    return Placed(effect, effect.controls)


def _in_slot(effect: AnyEffect, chain: Chain, slot: str) -> Placed:
    """Return the effect of a slot."""
    paths = tuple(slot_path(chain, slot, path) for path in effect.controls)
    return Placed(effect, paths, slot)
