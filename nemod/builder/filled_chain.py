"""A chain with what its slots hold: models and impulse responses, read from their files."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from nemod.chain import DEFAULT_CHAIN, Chain
from nemod.chain.chain import CABINET, MODEL
from nemod.formats.impulse_response import ImpulseResponse
from nemod.formats.model import Model
from nemod.formats.network import Dense
from nemod.formats.weights import DenseWeights
from nemod.fx.cabinet import ENABLE
from nemod.parameters.parameter_set import KnobSpec
from nemod.parameters.slot_paths import slot_path


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledChain:
    """A chain and what is in its slots; an empty slot is missing in both mappings."""

    chain: Chain = DEFAULT_CHAIN
    models: Mapping[str, Model] = field(default_factory=dict)
    """By the name of their slot."""
    responses: Mapping[str, ImpulseResponse] = field(default_factory=dict)
    """Likewise: those of the cabinets."""

    is_cheap: bool = False
    """Whether its effects take less time, for a machine that is too slow."""
    positions: Mapping[str, float] | None = None
    """The positions of a preset, by canonical path; None for a chain that comes without any."""

    @property
    def first_positions(self) -> dict[str, float]:
        """The positions that it starts with: those of a preset, else its cabinets are on."""
        if self.positions is not None:
            return dict(self.positions)
        return {slot_path(self.chain, slot, ENABLE): 1.0 for slot in self.responses}

    @property
    def knobs(self) -> dict[str, tuple[KnobSpec, ...]]:
        """The knobs of each model, by slot."""
        return {slot: knob_specs(model) for slot, model in self.models.items()}

    @property
    def name(self) -> str:
        """Names of the models in order, for errors."""
        slots = self.chain.of_kind(MODEL)
        names = [self.models[slot.name].name for slot in slots if slot.name in self.models]
        return ", ".join(names) or clean().name

    def at_rate(self, rate_hz: int) -> "FilledChain":
        """Return the chain as it is played by a device at this rate.

        Models that have no rate of their own have the device's. Without any model, the clean one
        stands in the first slot for one.
        """
        models = {
            slot: replace(model, sample_rate=rate_hz) if model.rate_follows_device else model
            for slot, model in self.models.items()
        }
        first = self.chain.first(MODEL)
        if not models and first is not None:
            models = {first.name: replace(clean(), sample_rate=rate_hz)}
        return replace(self, models=models)


def default_chain(model: Model, response: ImpulseResponse | None = None) -> FilledChain:
    """Return the default chain with a model, and with a cabinet if there is one."""
    responses = {} if response is None else {CABINET: response}
    return FilledChain(models={MODEL: model}, responses=responses)


def clean() -> Model:
    """Return a model that changes nothing, for a rig without a model."""
    one, zero = np.ones((1, 1), np.float32), np.zeros(1, np.float32)
    return Model(
        name="clean",
        dialect="nemod",
        network=Dense(1, 1),
        weights=DenseWeights(one, zero),
        rate_follows_device=True,
    )


def knob_specs(model: Model) -> tuple[KnobSpec, ...]:
    """Return the knobs of a model as the control core takes them."""
    return tuple(KnobSpec(knob.name, knob.default) for knob in model.knobs)
