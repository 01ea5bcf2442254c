"""Builds rigs of several programs: each part is compiled, warmed up and kept on its own."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.builder.compile import WARM_PARTS, compile_rig
from nemod.builder.warm_up import warmed_up_model, warmed_up_part
from nemod.control.settings import Settings
from nemod.engine.chain import UNITY, Content
from nemod.engine.compiled_rig import CompiledRig, CompiledStep, CompiledSteps, Conversion, Tap
from nemod.engine.parts import rig_parts
from nemod.engine.resampled import MODEL_BLOCK_FRAMES, lead_and_latency
from nemod.engine.rig import Part
from nemod.formats.network import memory_frames


class Steps(NamedTuple):
    """A rig of several programs, warmed up."""

    layout: tuple[str, ...]
    """Canonical paths of its controls."""
    rig: CompiledSteps
    latency_frames: int
    latencies: Mapping[str, int]
    """[frames at the device's rate] Of each model that is resampled, by slot."""
    cached: bool


def build_steps(
    content: Content,
    rate_hz: int,
    block_frames: int,
    settings: Settings,
    own_rates: Mapping[str, int],
    outputs: int = 1,
) -> Steps:
    """Return the rig of a chain for a device at `rate_hz`, a program per part.

    `settings` are those of the chain; `own_rates` [Hz] the rates of models that are resampled.
    """
    parts = rig_parts(content, rate_hz, outputs=outputs, own_rates=own_rates, is_joined=False)
    layout = tuple(path for part in parts for path in part.paths if path != UNITY)
    numbers = {path: number for number, path in enumerate(layout)}
    steps = []
    # Of each signal: its latency, and its constant value in silence.
    latencies, rests = [0], [0.0]
    of_models, cached = {}, True
    for part in parts:
        start = max(latencies[signal] for signal in part.inputs)
        frames, part_rate_hz, own = block_frames, rate_hz, 0
        if part.has_own_rate:
            frames, part_rate_hz = MODEL_BLOCK_FRAMES, own_rates[part.model]
            lead, own = lead_and_latency(rate_hz, part_rate_hz, block_frames)
            of_models[part.model] = own
        program, rest, was_cached = _built(
            part, content, frames, part_rate_hz, settings, [rests[n] for n in part.inputs]
        )
        conversion = None
        if part.has_own_rate:
            conversion = Conversion(
                rate_hz=rate_hz, model_rate_hz=part_rate_hz, lead_frames=lead, rest=rest
            )
        steps.append(
            CompiledStep(
                program=program,
                inputs=tuple(Tap(n, start - latencies[n]) for n in part.inputs),
                controls=tuple(numbers.get(path, -1) for path in part.paths),
                conversion=conversion,
            )
        )
        latencies.append(start + own + part.spec.latency_frames)
        rests.append(rest)
        cached = cached and was_cached
    return Steps(
        layout=layout,
        rig=CompiledSteps(
            steps=tuple(steps), block_frames=block_frames, controls=settings.vector(layout)
        ),
        latency_frames=latencies[-1],
        latencies=of_models,
        cached=cached,
    )


def _built(
    part: Part,
    content: Content,
    frames: int,
    rate_hz: int,
    settings: Settings,
    rests: list[float],
) -> tuple[CompiledRig, float, bool]:
    """Return a part, warmed up, its output at rest, and whether its program was cached."""
    controls = _controls(part, settings)
    memory = 0
    if part.model:
        memory = memory_frames(content.models[part.model].network) or 0

    def make() -> tuple[CompiledRig, float, bool]:
        program, cached = compile_rig(part.spec, frames, controls, part.signature, rate_hz)
        if part.model:
            program, rest = warmed_up_model(part.spec, program, frames, rate_hz, memory)
            # Behind its DC blocker, which starts at rest, a model has no offset.
            return program, rest if part.has_own_rate else 0.0, cached
        resting = np.repeat(np.array(rests, np.float32)[:, None], frames, axis=1)
        block = resting[0] if len(rests) == 1 else resting
        return warmed_up_part(part.spec, program, block), 0.0, cached

    what = (frames, rate_hz, part.signature, rests, memory)
    return WARM_PARTS.get(part.spec, controls, what, make)


def _controls(part: Part, settings: Settings) -> NDArray[np.float32]:
    """Return the controls of a part, those included that stay at 1."""
    known = tuple(path for path in part.paths if path != UNITY)
    values = iter(settings.vector(known))
    return np.array([1.0 if path == UNITY else next(values) for path in part.paths], np.float32)
