"""Warm-up: plays silence to a rig until its model rests, so that it starts without a thump.

Most recurrent models start far from the state that they reach in silence. `Effect.settle` decides
what each effect keeps of the warm-up.
"""

import math
from collections import deque
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nemod.engine.compiled_rig import CompiledRig, HostArray
from nemod.engine.loading import load_part
from nemod.engine.packing import Packing
from nemod.engine.program import Packings, ProgramState, first_state, fresh_state
from nemod.engine.rig import AnyRigSpec
from nemod.parameters.table import knob_number, param

REST_PEAK = 1e-4
"""Largest sample at which a rig that plays silence counts as resting (-80 dBFS)."""
REST_STEADY_S = 0.05
"""[s] How long it has to stay there."""
WARM_UP_CAP_S = 2.0
"""[s] The warm-up ends after this time: some models oscillate by themselves and never rest."""


def prewarmed(
    spec: AnyRigSpec, packing: Packing, controls: NDArray[np.float32], frames: int
) -> list[HostArray]:
    """Return the packed state after `frames` of silence."""
    targets = jnp.asarray(controls)
    silence = np.zeros(frames, np.float32)
    first = spec.init(spec.weights, targets)
    state, _ = jax.jit(spec.process)(spec.weights, targets, first, silence)
    return packing.pack_host(state)


def warmed_up(
    spec: AnyRigSpec, rig: CompiledRig, block_frames: int, rate_hz: int, memory: int
) -> CompiledRig:
    """Return the rig in its state after silence.

    `memory` [frames] is the receptive field of a convolutional model: silence has to fill it. The
    model's knobs stay at the rig's controls; all others are at their defaults during the warm-up,
    because neither an echo nor a closed fader shows whether the model rests.
    """
    program = load_part(rig, block_frames)
    controls = _knobs_alone(spec, rig.controls)
    silence = np.zeros(program.block_frames, np.float32)
    blocks_needed = math.ceil(max(REST_STEADY_S * rate_hz, memory) / program.block_frames)
    resting = 0
    packing = Packings.of(spec, block_frames).state
    started = replace(rig, state=first_state(spec, packing, controls))
    state = fresh_state(started)
    for _ in range(math.ceil(WARM_UP_CAP_S * rate_hz / program.block_frames)):
        state, sound = program.call(rig.weights, controls, state, silence)
        peak = float(np.abs(sound[:-3]).max())
        resting = resting + 1 if peak < REST_PEAK else 0
        if resting >= blocks_needed:
            break
    return _settled(spec, packing, rig, state)


def warmed_up_model(
    spec: AnyRigSpec, part: CompiledRig, block_frames: int, rate_hz: int, memory: int
) -> tuple[CompiledRig, float]:
    """Return a part that holds a model in its state after silence, and its output then.

    Many models rest at an offset, so the output has to be steady, not small. Controls as in
    `warmed_up`.
    """
    program = load_part(part, block_frames)
    controls = _knobs_alone(spec, part.controls)
    silence = np.zeros(block_frames, np.float32)
    steady = math.ceil(max(REST_STEADY_S * rate_hz, memory) / block_frames)
    recent: deque[float] = deque(maxlen=steady)
    packing = Packings.of(spec, block_frames).state
    state = fresh_state(replace(part, state=first_state(spec, packing, controls)))
    output = 0.0
    for _ in range(math.ceil(WARM_UP_CAP_S * rate_hz / block_frames)):
        state, out = program.call(part.weights, controls, state, silence)
        output = float(out[-1])
        recent.append(output)
        if len(recent) == steady and max(recent) - min(recent) < REST_PEAK:
            break
    return _settled(spec, packing, part, state), output


def _knobs_alone(spec: AnyRigSpec, controls: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the controls with the model's knobs, and all others at their defaults."""
    rows = [param(path) for path in spec.layout]
    defaults = np.array([row.control(row.default) for row in rows], np.float32)
    is_knob = np.array([knob_number(path) is not None for path in spec.layout], bool)
    return np.where(is_knob, controls, defaults)


def warmed_up_part(spec: AnyRigSpec, part: CompiledRig, block: NDArray[np.float32]) -> CompiledRig:
    """Return a run of effects in its state after one block of its resting input."""
    program = load_part(part, block.shape[-1])
    state = fresh_state(part)
    state, _ = program.call(part.weights, part.controls, state, block)
    packing = Packings.of(spec, block.shape[-1]).state
    return _settled(spec, packing, part, state)


def _settled(
    spec: AnyRigSpec, packing: Packing, rig: CompiledRig, warm: ProgramState
) -> CompiledRig:
    """Return the rig with the state that its effects start with after a warm-up."""
    fresh = packing.unpack_host(rig.state)
    after = packing.unpack_host(warm.host())
    return replace(rig, state=packing.pack_host(spec.settle(after, fresh)))
