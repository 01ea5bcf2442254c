"""Measures what each slot of a chain adds to the time of a block."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from nemod.builder.build import build_chain
from nemod.builder.filled_chain import FilledChain
from nemod.chain import FILE_KINDS, Chain, Slot, Split
from nemod.chain.chain import SPLIT
from nemod.cli.bench.block_cost import Cost, cost_of
from nemod.cli.bench.models import RATE_HZ
from nemod.control.settings import Settings
from nemod.engine.compiled_rig import CompiledSteps
from nemod.parameters.parameter_set import ParameterSet


class ChainCost(NamedTuple):
    """The time of a block of a chain."""

    whole: Cost
    programs: int
    empty: Cost
    """Of a rig without slots: trims, bypass, limiter and meters."""
    slots: Mapping[str, float]
    """[us] What each slot adds to an empty rig, by name."""


def chain_cost(filled: FilledChain, block_frames: int, outputs: int = 1) -> ChainCost:
    """Measure a chain at 48 kHz with every effect on: as a whole, and slot by slot.

    `outputs` is 1, or 2 for left and right.
    Raises: ModelError, CabinetError for what cannot be played; their `slot` is at fault.
    """
    ready = build_chain(filled, RATE_HZ, block_frames, _all_on(filled.chain), outputs)
    programs = len(ready.shipped.steps) if isinstance(ready.shipped, CompiledSteps) else 1
    whole = cost_of(ready, block_frames)
    empty = _alone(filled, Chain(()), block_frames, outputs)
    slots = {
        name: max(0.0, _alone(filled, chain, block_frames, outputs).median_us - empty.median_us)
        for name, chain in _single(filled)
    }
    return ChainCost(whole, programs, empty, slots)


def _single(filled: FilledChain) -> Iterator[tuple[str, Chain]]:
    """Yield each slot that does something, with a chain of it alone."""
    for slot in filled.chain:
        place: Slot | Split = Split(name=slot.name) if slot.kind == SPLIT else slot
        if (
            slot.kind not in FILE_KINDS
            or slot.name in filled.models
            or slot.name in filled.responses
        ):
            yield slot.name, Chain((place,))


def _alone(filled: FilledChain, chain: Chain, block_frames: int, outputs: int) -> Cost:
    one = replace(
        filled,
        chain=chain,
        models={name: model for name, model in filled.models.items() if name in chain},
        responses={name: found for name, found in filled.responses.items() if name in chain},
    )
    built = build_chain(one, RATE_HZ, block_frames, _all_on(chain), outputs)
    return cost_of(built, block_frames)


def _all_on(chain: Chain) -> Settings:
    """Return settings with which every effect does something."""
    settings = Settings(chain=chain)
    for path in ParameterSet(chain):
        if path.endswith("/enable") and not path.startswith("tuner/"):
            settings.set(path, 1.0)
        elif path.endswith("/mix"):
            settings.set(path, 0.3)
    return settings
