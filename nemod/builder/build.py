"""Builds rigs: from a model to a compiled rig for one sample rate and block size.

The result is ready to play: the audio process only has to load it.
"""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nemod.builder import program_cache
from nemod.builder.describe import describe, describe_cabinet
from nemod.builder.level import levelled, play_alone
from nemod.builder.messages import BuildFailure, BuildRequest, BuildResult, Reduction
from nemod.builder.rate_policy import RatePolicy, rate_policy
from nemod.builder.verify import BLOCK_FRAMES, verified
from nemod.builder.warm_up import prewarmed, warmed_up, warmed_up_model, warmed_up_part
from nemod.common.errors import CabinetError, ModelError, NemodError
from nemod.control.settings import Settings
from nemod.engine.active_rig import LoadedRig
from nemod.engine.chain import DEFAULT_CHAIN, Chain, with_cheap_reverb
from nemod.engine.compiled_rig import AnyCompiledRig, CompiledResampledRig, CompiledRig
from nemod.engine.loading import load_rig
from nemod.engine.program import Packings, compile_spec, compiled_rig
from nemod.engine.resampled import MODEL_BLOCK_FRAMES, lead_and_latency
from nemod.engine.rig import AnyRigSpec, model_spec, rig_parts, rig_spec
from nemod.formats import load_model
from nemod.formats.impulse_response import (
    ImpulseResponse,
    load_impulse_response,
    playable,
)
from nemod.formats.model import Model
from nemod.formats.network import Dense, memory_frames
from nemod.formats.rate import with_state_delay
from nemod.formats.readers.document import Json
from nemod.formats.weights import DenseWeights
from nemod.fx.cabinet import cabinet
from nemod.fx.effect import AnyEffect
from nemod.parameters.parameter_set import KnobSpec

PROBE_ERROR = 1e-3
"""Largest difference from a file's own probe output, relative to its peak (at least 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltRig:
    """A rig in both forms: loaded in this process, and to be shipped."""

    layout: tuple[str, ...]
    """Paths of the controls."""
    latency_frames: int
    policy: str
    """How the model is played at the device's rate: `exact`, `delay` or `resample`."""
    shipped: AnyCompiledRig
    loaded: LoadedRig
    cached: bool
    """Whether every program came from the cache on disk."""


def compiled(spec: AnyRigSpec, block_frames: int, *what: object) -> tuple[bytes, bool]:
    """Return the program of a rig and whether it was cached.

    `what` holds all that the program depends on besides its layout.
    """
    name = program_cache.key(block_frames, spec.layout, *what)
    executable = program_cache.fetch(name)
    if executable is not None:
        return executable, True
    executable = compile_spec(spec, Packings.of(spec, block_frames))
    program_cache.store(name, executable)
    return executable, False


def build(
    model: Model,
    rate_hz: int,
    block_frames: int,
    settings: Settings,
    *,
    response: ImpulseResponse | None = None,
    slots: Chain = DEFAULT_CHAIN,
    model_only: bool = False,
    prewarm: bool = True,
) -> BuiltRig:
    """Return the rig of a model at a device's rate, verified and warmed up with these settings.

    A knob of the model that was never set has the default of the model's file. `response` is that
    of the cabinet; without one the rig has no cabinet.

    `model_only` omits everything around the model, the test and the warm-up, except for the silence
    that the reference engine of the model (NAM's) plays first, unless `prewarm` is off.

    Raises: ModelError for a model that oscillates at this rate or whose output is not finite,
        CabinetError for a response that cannot be played.
    """
    settings = settings.copy_for(knob_specs(model))
    if model_only:
        alone = model_spec(model)
        rig, cached = compile_rig(alone, block_frames, settings, "model", model.network)
        if model.prewarm_frames and prewarm:
            packing = Packings.of(alone, block_frames).state
            state = prewarmed(alone, packing, rig.controls, model.prewarm_frames)
            rig = replace(rig, state=state)
        return _built(alone, rig, "exact", block_frames, cached=cached)
    if model.rate_follows_device:
        model = replace(model, sample_rate=rate_hz)
    policy = rate_policy(model.network, model.sample_rate, rate_hz)
    tested: list[BuiltRig] = []

    def make(policy: RatePolicy, rate_hz: int) -> BuiltRig:
        # Without the cabinet, which cannot oscillate.
        defaults = Settings().copy_for(knob_specs(model))
        tested.append(_build_by(model, BLOCK_FRAMES, defaults, policy, rate_hz, slots))
        return tested[-1]

    policy = verified(model, policy, rate_hz, make)
    loudspeaker = None
    if response is not None:
        with _naming_cabinet(response.path or response.name):
            loudspeaker = cabinet(playable(response, rate_hz), block_frames)
    whole = _build_by(model, block_frames, settings, policy, rate_hz, slots, loudspeaker)
    return replace(whole, cached=whole.cached and all(other.cached for other in tested))


@contextmanager
def _naming_cabinet(path: str) -> Iterator[None]:
    """Have whatever fails within be an error of this cabinet."""
    try:
        yield
    except NemodError:
        raise
    except Exception as error:
        raise CabinetError(path, f"{type(error).__name__}: {error}") from error


def _build_by(
    model: Model,
    block_frames: int,
    settings: Settings,
    policy: RatePolicy,
    rate_hz: int,
    slots: Chain,
    loudspeaker: AnyEffect | None = None,
) -> BuiltRig:
    """Return the whole rig of a model for a device at `rate_hz`, warmed up, not verified."""
    if policy == "resample":
        return _build_resampled(model, rate_hz, block_frames, settings, slots, loudspeaker)
    memory = memory_frames(model.network) or 0
    if policy == "delay":
        delayed = with_state_delay(model.network, rate_hz / model.sample_rate)
        model = replace(model, network=delayed)
    spec = rig_spec(model, rate_hz, slots, loudspeaker)
    size = () if loudspeaker is None else loudspeaker.weights.spectra.shape
    what = ("rig", model.network, rate_hz, *size, *_variant(slots))
    rig, cached = compile_rig(spec, block_frames, settings, *what)
    rig = warmed_up(spec, rig, block_frames, rate_hz, memory)
    return _built(spec, rig, policy, block_frames, cached=cached)


def _variant(slots: Chain) -> tuple[str, ...]:
    """Return what a program depends on besides its layout, because of the chain."""
    return () if slots is DEFAULT_CHAIN else ("cheap reverb",)


def compile_rig(
    spec: AnyRigSpec, block_frames: int, settings: Settings, *what: object
) -> tuple[CompiledRig, bool]:
    """Return a compiled rig in its first state, and whether its program was cached."""
    executable, cached = compiled(spec, block_frames, *what)
    return compiled_rig(spec, block_frames, settings.vector(spec.layout), executable), cached


def _built(
    spec: AnyRigSpec, rig: CompiledRig, policy: str, block_frames: int, *, cached: bool
) -> BuiltRig:
    return BuiltRig(
        layout=spec.layout,
        latency_frames=spec.latency_frames,
        policy=policy,
        shipped=rig,
        loaded=load_rig(rig, block_frames),
        cached=cached,
    )


def _build_resampled(
    model: Model,
    rate_hz: int,
    block_frames: int,
    settings: Settings,
    slots: Chain,
    loudspeaker: AnyEffect | None,
) -> BuiltRig:
    """Return a rig whose model runs at its own rate, warmed up."""
    model_rate_hz = model.sample_rate
    spec = rig_parts(model, rate_hz, model_rate_hz, slots, loudspeaker)
    front, front_cached = compile_rig(spec.front, block_frames, settings, "front", rate_hz)
    middle, middle_cached = compile_rig(
        spec.model, MODEL_BLOCK_FRAMES, settings, "middle", model.network, model_rate_hz
    )
    # With a cabinet the last part begins behind it, which its layout does not show.
    last = "back" if spec.cabinet is None else "back after a cabinet"
    what = (last, rate_hz, *_variant(slots))
    back, back_cached = compile_rig(spec.back, block_frames, settings, *what)
    silence = np.zeros(block_frames, np.float32)
    memory = memory_frames(model.network) or 0
    middle, rest = warmed_up_model(spec.model, middle, MODEL_BLOCK_FRAMES, model_rate_hz, memory)
    resting = np.full_like(silence, rest)
    between = []
    cached = front_cached and middle_cached and back_cached
    if spec.cabinet is not None and loudspeaker is not None:
        size = loudspeaker.weights.spectra.shape
        part, cabinet_cached = compile_rig(
            spec.cabinet, block_frames, settings, "cabinet", rate_hz, *size
        )
        between.append(warmed_up_part(spec.cabinet, part, resting))
        # The DC blocker stands before the cabinet.
        cached, resting = cached and cabinet_cached, silence
    lead, latency = lead_and_latency(rate_hz, model_rate_hz, block_frames)
    rig = CompiledResampledRig(
        parts=(
            warmed_up_part(spec.front, front, silence),
            middle,
            *between,
            warmed_up_part(spec.back, back, np.stack([silence, resting])),
        ),
        rate_hz=rate_hz,
        model_rate_hz=model_rate_hz,
        block_frames=block_frames,
        lead_frames=lead,
        latency_frames=latency,
        rest=rest,
    )
    return BuiltRig(
        layout=spec.layout,
        latency_frames=latency + spec.latency_frames,
        policy="resample",
        shipped=rig,
        loaded=load_rig(rig, block_frames),
        cached=cached,
    )


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


def answer(request: BuildRequest) -> BuildResult | BuildFailure:
    """Carry out a request; any error becomes a `BuildFailure`, so that the builder lives on."""
    response = None
    cabinet_info: dict[str, Json] = {}
    try:
        if request.cabinet_path:
            with _naming_cabinet(request.cabinet_path):
                response = load_impulse_response(Path(request.cabinet_path))
                cabinet_info = describe_cabinet(response, request.rate_hz)
        reduction = request.reduction
        size = _smaller(request.size, reduction)
        model = load_model(Path(request.path), size=size) if request.path else clean()
        probe_error = verify_probe(model)
        adjusted = levelled(model, request.level)
        built = build(
            adjusted.model,
            request.rate_hz,
            request.block_frames,
            Settings(request.positions),
            response=response,
            slots=with_cheap_reverb(DEFAULT_CHAIN) if reduction.is_reverb_cheap else DEFAULT_CHAIN,
        )
    except NemodError as error:
        return BuildFailure(
            request_id=request.request_id,
            reason=str(error),
            is_model_fault=isinstance(error, ModelError),
            is_cabinet_fault=isinstance(error, CabinetError),
        )
    except Exception as error:
        reason = f"{request.path}: {type(error).__name__}: {error}"
        return BuildFailure(request_id=request.request_id, reason=reason)
    info = describe(model).plain() | dict(adjusted.facts) | {"probe_error": probe_error}
    return BuildResult(
        request_id=request.request_id,
        rig=pickle.dumps(built.shipped, protocol=pickle.HIGHEST_PROTOCOL),
        layout=built.layout,
        latency_frames=built.latency_frames,
        knobs=knob_specs(model),
        model_rate_hz=model.sample_rate,
        rate_policy=built.policy,
        info=info,
        cabinet_info=cabinet_info,
        cached=built.cached,
        sizes=model.sizes,
        reduction=reduction,
    )


def _smaller(size: float | None, reduction: Reduction) -> float | None:
    """Return the size to play: the one that is wanted, or the largest that is allowed."""
    if reduction.size >= 1.0:
        return size
    return reduction.size if size is None else min(size, reduction.size)


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
