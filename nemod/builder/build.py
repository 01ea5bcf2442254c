"""The foundry makes rigs: it reads a model, compiles, proves it by its probe, and warms it up.

It runs in a process of its own (`nemod foundry`), so that a compilation stalls nothing. What it
ships is ready to be played: nothing is left to be done on the audio plane but to load it.
"""

import math
import pickle
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import setproctitle
from numpy.typing import NDArray

from nemod.builder import program_cache
from nemod.builder.level import levelled, play_alone
from nemod.builder.rate_policy import RatePolicy, rate_policy
from nemod.builder.verify import verified
from nemod.common.errors import ModelError, NemodError
from nemod.common.units import amplitude_to_db
from nemod.control.settings import Settings
from nemod.engine.ipc import (
    BuildFailure,
    BuildRequest,
    BuildResult,
    CompiledResampledRig,
    CompiledRig,
    receive_frame,
    send_frame,
)
from nemod.engine.loading import load_part, load_rig
from nemod.engine.resampled import MODEL_BLOCK_FRAMES, lead_and_latency
from nemod.engine.rig import (
    LoadedRig,
    RigSpec,
    compile_spec,
    first_state,
    flat_weights,
    host_leaves,
    model_spec,
    offset_blocked,
    parts,
    rig_spec,
)
from nemod.formats import load_model
from nemod.formats.model import Model
from nemod.formats.network import Dense, DenseWeights, memory_frames
from nemod.formats.rate import with_state_delay
from nemod.formats.summary import parameters, summary
from nemod.parameters.parameter_set import KnobSpec

REST_PEAK = 1e-4
"""Largest sample at which a rig that hears silence counts as resting (-80 dBFS)."""
REST_STEADY_S = 0.05
"""[s] How long it has to stay there."""
WARM_UP_CAP_S = 2.0
"""[s] Some models oscillate by themselves and never rest."""
KNOWN = (
    "author", "modeled_by", "licence", "license", "esr", "loudness", "gain", "input_level_dbu",
    "output_level_dbu", "gear_make", "gear_model", "gear_type", "tone_type", "description", "date",
)  # fmt: skip
"""What a file's own metadata may say that is worth passing on."""
PROBE_ERROR = 1e-3
"""Largest difference from a file's own probe output, relative to its peak (at least 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltRig:
    """A rig that can be played here and now, and shipped."""

    layout: tuple[str, ...]
    """Paths of the controls."""
    latency_frames: int
    policy: str
    """How the model meets the device's rate: `exact`, `delay` or `resample`."""
    shipped: CompiledRig | CompiledResampledRig
    loaded: LoadedRig
    cached: bool
    """Whether every program came from the disk."""


def compiled(made: RigSpec, block_frames: int, *what: object) -> tuple[bytes, bool]:
    """Return a recipe's program and whether it came from the disk. `what` names the recipe."""
    name = program_cache.key(block_frames, made.layout, *what)
    executable = program_cache.fetch(name)
    if executable is not None:
        return executable, True
    executable = compile_spec(made, block_frames)
    program_cache.store(name, executable)
    return executable, False


def build(
    model: Model,
    rate_hz: int,
    block_frames: int,
    settings: Settings,
    *,
    model_only: bool = False,
    prewarm: bool = True,
) -> BuiltRig:
    """Return the rig of a model at a device's rate, verified and warmed up with these settings.

    A knob of the model that was never set has the default of the model's file.

    `model_only` leaves out everything around the model, and the test and the warm-up too, but for
    the silence that the model's own reference engine plays first (NAM's), unless `prewarm` is off.

    Raises: ModelError for a model that oscillates at this rate or whose output is not finite.
    """
    settings = settings.copy_for(knob_specs(model))
    if model_only:
        made = model_spec(model)
        part, cached = compile_rig(made, block_frames, settings, "model", model.network)
        if model.prewarm_frames and prewarm:
            part = replace(part, state=prewarmed(made, part.controls, model.prewarm_frames))
        return _ready(made, part, "exact", block_frames, cached=cached)
    if model.rate_follows_device:
        model = replace(model, sample_rate=rate_hz)
    policy = rate_policy(model.network, model.sample_rate, rate_hz)
    make = partial(_build_by, model, block_frames, settings)
    return verified(model, policy, rate_hz, block_frames, make)


def _build_by(
    model: Model, block_frames: int, settings: Settings, policy: RatePolicy, rate_hz: int
) -> BuiltRig:
    """Return the whole rig of a model for a device at `rate_hz`, warmed up, not yet verified."""
    if policy == "resample":
        return _build_resampled(model, rate_hz, block_frames, settings)
    memory = memory_frames(model.network) or 0
    if policy == "delay":
        delayed = with_state_delay(model.network, rate_hz / model.sample_rate)
        model = replace(model, network=delayed)
    made = rig_spec(model, rate_hz)
    part, cached = compile_rig(made, block_frames, settings, "rig", model.network, rate_hz)
    part = replace(part, state=warm_up(made, part, block_frames, rate_hz, memory))
    return _ready(made, part, policy, block_frames, cached=cached)


def prewarmed(made: RigSpec, controls: NDArray[np.float32], frames: int) -> list[NDArray[Any]]:
    """Return the state after as many frames of silence, as a program takes it."""
    targets = jax.numpy.asarray(controls)
    silence = np.zeros(frames, np.float32)
    first = made.init(made.weights, targets)
    state, _ = jax.jit(made.process)(made.weights, targets, first, silence)
    return host_leaves(state)


def compile_rig(
    made: RigSpec, block_frames: int, settings: Settings, *what: object
) -> tuple[CompiledRig, bool]:
    """Return a recipe compiled, with its first state, and whether the program was on the disk."""
    executable, cached = compiled(made, block_frames, *what)
    controls = settings.vector(made.layout)
    rig = CompiledRig(
        executable=executable,
        weights=flat_weights(made),
        state=first_state(made, controls),
        controls=controls,
    )
    return rig, cached


def _ready(
    made: RigSpec, part: CompiledRig, policy: str, block_frames: int, *, cached: bool
) -> BuiltRig:
    return BuiltRig(
        layout=made.layout,
        latency_frames=made.latency_frames,
        policy=policy,
        shipped=part,
        loaded=load_rig(part, block_frames),
        cached=cached,
    )


def _build_resampled(model: Model, rate_hz: int, block_frames: int, settings: Settings) -> BuiltRig:
    """Return a rig whose model runs at its own rate, warmed up."""
    made = parts(model, rate_hz, model.sample_rate)
    front, front_cached = compile_rig(made.front, block_frames, settings, "front", rate_hz)
    middle, middle_cached = compile_rig(
        made.model, MODEL_BLOCK_FRAMES, settings, "middle", model.network, model.sample_rate
    )
    back, back_cached = compile_rig(made.back, block_frames, settings, "back", rate_hz)
    state, rest = warm_up_alone(middle, model.sample_rate, memory_frames(model.network) or 0)
    fresh = made.back.init(made.back.weights, jax.numpy.asarray(back.controls))
    lead, latency = lead_and_latency(rate_hz, model.sample_rate, block_frames)
    rig = CompiledResampledRig(
        parts=(
            front,
            replace(middle, state=state),
            replace(back, state=host_leaves(offset_blocked(fresh, rest))),
        ),
        rate_hz=rate_hz,
        model_rate_hz=model.sample_rate,
        block_frames=block_frames,
        lead_frames=lead,
        latency_frames=latency,
        rest=rest,
    )
    return BuiltRig(
        layout=made.layout,
        latency_frames=latency + sum(part.latency_frames for part in made),
        policy="resample",
        shipped=rig,
        loaded=load_rig(rig, block_frames),
        cached=front_cached and middle_cached and back_cached,
    )


def warm_up_alone(part: CompiledRig, rate_hz: int, memory: int) -> tuple[list[NDArray[Any]], float]:
    """Play silence to a model until it rests, or the cap is reached.

    Returns: the state, and what the model gives then (many rest at an offset).
    """
    program = load_part(part, MODEL_BLOCK_FRAMES)
    silence = np.zeros(MODEL_BLOCK_FRAMES, np.float32)
    steady = math.ceil(max(REST_STEADY_S * rate_hz, memory) / MODEL_BLOCK_FRAMES)
    recent: deque[float] = deque(maxlen=steady)
    now: list[Any] = [leaf.copy() for leaf in part.state]
    rest = 0.0
    for _ in range(math.ceil(WARM_UP_CAP_S * rate_hz / MODEL_BLOCK_FRAMES)):
        now, out = program.call(part.weights, part.controls, now, silence)
        rest = float(np.asarray(out)[-1])
        recent.append(rest)
        if len(recent) == steady and max(recent) - min(recent) < REST_PEAK:
            break
    return [np.array(leaf) for leaf in now], rest


def warm_up(
    made: RigSpec, rig: CompiledRig, block_frames: int, rate_hz: int, memory: int
) -> list[NDArray[Any]]:
    """Play silence until the model rests, or the cap is reached; return the state to begin with.

    `memory` [frames] is how far back a convolutional model hears: silence has to fill it.

    Most recurrent models start far from where silence leaves them; heard, that is a thump. The
    model's knobs stand where `controls` [n] say; all else is flat and open meanwhile, for neither
    an echo nor a closed fader tells whether the model rests.
    """
    program = load_part(rig, block_frames)
    controls = rig.controls
    flat = Settings().vector(made.layout)
    is_knob = np.array([path.startswith("knob/") for path in made.layout])
    waiting = np.where(is_knob, controls, flat)
    silence = np.zeros(program.block_frames, np.float32)
    blocks_needed = math.ceil(max(REST_STEADY_S * rate_hz, memory) / program.block_frames)
    resting = 0
    now: list[Any] = first_state(made, waiting)
    for _ in range(math.ceil(WARM_UP_CAP_S * rate_hz / program.block_frames)):
        now, sound = program.call(rig.weights, waiting, now, silence)
        peak = float(np.abs(np.asarray(sound)[:-3]).max())
        resting = resting + 1 if peak < REST_PEAK else 0
        if resting >= blocks_needed:
            break
    fresh = made.init(made.weights, jax.numpy.asarray(controls))
    warm = jax.tree.unflatten(jax.tree.structure(fresh), [np.array(leaf) for leaf in now])
    return host_leaves(made.settle(warm, fresh))


def verify_probe(model: Model) -> float | None:
    """Play a file's own probe; return the largest error, relative to its peak, or None without one.

    Raises: ModelError when the file's own answer does not come out.
    """
    if model.probe is None:
        return None
    inputs, expected = model.probe
    out = play_alone(model, inputs[:, 0], inputs[:, 1:])
    error = float(np.abs(out - expected).max()) / max(1.0, float(np.abs(expected).max()))
    if not error <= PROBE_ERROR:
        raise ModelError(
            model.name,
            f"the probe inside the file does not come out: off by {error:.2g}, allowed is "
            f"{PROBE_ERROR:g}; the weights or the layout are not what the file's maker played",
        )
    return error


def answer(order: BuildRequest) -> BuildResult | BuildFailure:
    """Carry out an order; whatever is wrong with the file becomes a sentence."""
    try:
        model = load_model(Path(order.path), size=order.size) if order.path else clean()
        probe_error = verify_probe(model)
        made = levelled(model, order.level)
        ready = build(made.model, order.rate_hz, order.block_frames, Settings(order.positions))
    except NemodError as error:
        return BuildFailure(
            request_id=order.request_id,
            reason=str(error),
            is_model_fault=isinstance(error, ModelError),
        )
    except Exception as error:
        reason = f"{order.path}: {type(error).__name__}: {error}"
        return BuildFailure(request_id=order.request_id, reason=reason)
    info = describe(model) | dict(made.facts) | {"probe_error": probe_error}
    return BuildResult(
        request_id=order.request_id,
        rig=pickle.dumps(ready.shipped, protocol=pickle.HIGHEST_PROTOCOL),
        layout=ready.layout,
        latency_frames=ready.latency_frames,
        knobs=knob_specs(model),
        model_rate_hz=model.sample_rate,
        rate_policy=ready.policy,
        info=info,
        cached=ready.cached,
    )


def clean() -> Model:
    """Return the model that changes nothing: the rest of the rig is heard alone."""
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


def describe(model: Model) -> dict[str, Any]:
    """Return what there is to know of a model, as JSON types."""
    memory = memory_frames(model.network)
    source = "the file" if model.rate_stated else f"assumed, as {model.dialect} files are played"
    facts = {
        "name": model.name,
        "dialect": model.dialect,
        "architecture": summary(model.network),
        "parameters": parameters(model.weights),
        "receptive_field": "recurrent" if memory is None else f"{memory + 1} frames",
        "knobs": [knob.name for knob in model.knobs],
        "sample_rate": "the device's" if model.rate_follows_device else model.sample_rate,
        "sample_rate_stated": model.rate_stated,
        "sample_rate_source": source,
        "in_gain_db": round(amplitude_to_db(model.in_gain), 2),
        "out_gain_db": round(amplitude_to_db(model.out_gain), 2),
    }
    return facts | {key: model.metadata[key] for key in KNOWN if key in model.metadata}


def main(argv: list[str]) -> int:
    """Run the foundry: orders in, rigs out, until the other end closes. `argv[1]`: the socket."""
    setproctitle.setproctitle("nemod foundry")
    with socket.socket(fileno=int(argv[1])) as link:
        while True:
            try:
                order = receive_frame(link)
                send_frame(link, answer(order))
            except (EOFError, ConnectionError):
                return 0


if __name__ == "__main__":
    # A service manager ends all processes at once; the control plane stops its children in order.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(main(sys.argv))
