"""Builds rigs: from a chain to a compiled rig for one sample rate and block size.

The result is ready to play: the audio process only has to load it. A rig with at most one model, at
the device's rate, is one program; any other has a program per model and one per run of effects
between them, so that no program depends on two models.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from nemod.builder.build_steps import build_steps
from nemod.builder.compile import compile_rig
from nemod.builder.filled_chain import FilledChain, default_chain
from nemod.builder.rate_policy import RatePolicy, rate_policy
from nemod.builder.verify import BLOCK_FRAMES, Place, verified
from nemod.builder.warm_up import prewarmed, warmed_up
from nemod.chain import Chain, Slot
from nemod.chain.chain import MODEL
from nemod.common.errors import CabinetError, ModelError, NemodError
from nemod.control.settings import Settings
from nemod.engine.active_rig import LoadedRig
from nemod.engine.chain import CHEAP_EFFECTS, EFFECTS, Content
from nemod.engine.compiled_rig import AnyCompiledRig
from nemod.engine.loading import load_rig
from nemod.engine.parts import whole_rig
from nemod.engine.program import Packings
from nemod.engine.rig import model_spec
from nemod.formats.impulse_response import ImpulseResponse, playable
from nemod.formats.model import Model
from nemod.formats.network import memory_frames
from nemod.formats.rate import with_state_delay
from nemod.fx.cabinet import cabinet
from nemod.fx.effect import AnyEffect

ALONE = Chain((Slot(name=MODEL, kind=MODEL),))
"""A model without effects."""


@dataclass(frozen=True, kw_only=True)
class BuiltRig:
    """A rig, to be shipped or to be played in this process."""

    layout: tuple[str, ...]
    """Canonical paths of the controls."""
    latency_frames: int
    policies: Mapping[str, RatePolicy]
    """How each model is played at the device's rate, by slot."""
    latencies: Mapping[str, int] = field(default_factory=dict)
    """[frames at the device's rate] Of each model that is resampled, by slot."""
    shipped: AnyCompiledRig
    block_frames: int
    cached: bool
    """Whether every program came from the cache on disk."""

    @cached_property
    def loaded(self) -> LoadedRig:
        """The rig, loaded in this process when it is first needed: a builder only ships it."""
        return load_rig(self.shipped, self.block_frames)


def build(
    model: Model,
    rate_hz: int,
    block_frames: int,
    settings: Settings,
    *,
    response: ImpulseResponse | None = None,
    outputs: int = 1,
    model_only: bool = False,
    prewarm: bool = True,
) -> BuiltRig:
    """Return the rig of a model in the default chain; see `build_chain`.

    `response` is that of the cabinet; without one the rig has no cabinet. `outputs` is 1, or 2 for
    left and right. `model_only` omits everything around the model, the test and the warm-up, except
    for the silence that the reference engine of the model (NAM's) plays first, unless `prewarm` is
    off.
    """
    filled = default_chain(model, response)
    if not model_only:
        return build_chain(filled, rate_hz, block_frames, settings, outputs)
    spec = model_spec(model)
    controls = settings.copy_for(filled.chain, filled.knobs).vector(spec.layout)
    rig, cached = compile_rig(spec, block_frames, controls, "model", model.network)
    if model.prewarm_frames and prewarm:
        packing = Packings.of(spec, block_frames).state
        rig = replace(rig, state=prewarmed(spec, packing, rig.controls, model.prewarm_frames))
    return BuiltRig(
        layout=spec.layout,
        latency_frames=spec.latency_frames,
        policies={MODEL: "exact"},
        shipped=rig,
        block_frames=block_frames,
        cached=cached,
    )


def build_chain(
    filled: FilledChain, rate_hz: int, block_frames: int, settings: Settings, outputs: int = 1
) -> BuiltRig:
    """Return the rig of a chain at a device's rate, verified and warmed up with these settings.

    A knob of a model that was never set has the default of the model's file. `outputs` is 1, or 2
    for left and right.

    Raises: ModelError for a model that oscillates at this rate or whose output is not finite,
        CabinetError for a response that cannot be played; their `slot` is at fault.
    """
    settings = settings.copy_for(filled.chain, filled.knobs)
    filled = filled.at_rate(rate_hz)
    policies: dict[str, RatePolicy] = {}
    cached = True
    is_single = len(filled.models) == 1 and filled.chain.split is None
    tests_itself = ""
    for slot, model in filled.models.items():
        policies[slot] = rate_policy(model.network, model.sample_rate, rate_hz)
        if is_single and policies[slot] == "exact":
            tests_itself = slot
            continue
        with at_slot(slot):
            chain, name = (filled.chain, slot) if is_single else (ALONE, MODEL)
            tested = FilledChain(chain=chain, models={name: model}, is_cheap=filled.is_cheap)
            policies[slot], was_cached = _verified(
                tested,
                name,
                policies[slot],
                rate_hz,
                # At its own rate only finite output is asked for, at any block size.
                block_frames if policies[slot] == "exact" else BLOCK_FRAMES,
                outputs if is_single else 1,
                in_steps=not is_single,
            )
            cached = cached and was_cached
    cabinets: dict[str, AnyEffect] = {}
    for slot, response in filled.responses.items():
        with at_slot(slot), naming_cabinet(response.path or response.name):
            cabinets[slot] = cabinet(playable(response, rate_hz), block_frames)
    whole = build_with_policies(
        filled, cabinets, policies, rate_hz, block_frames, settings, outputs
    )
    if tests_itself:
        with at_slot(tests_itself):
            place = Place(filled.chain, tests_itself)
            verified(filled.models[tests_itself], "exact", rate_hz, lambda *_: whole, place)
    return replace(whole, cached=whole.cached and cached)


@contextmanager
def at_slot(slot: str) -> Iterator[None]:
    """Have an error of a file within name its slot."""
    try:
        yield
    except (ModelError, CabinetError) as error:
        error.slot = error.slot or slot
        raise


@contextmanager
def naming_cabinet(path: str) -> Iterator[None]:
    """Have whatever fails within be an error of this cabinet."""
    try:
        yield
    except NemodError:
        raise
    except Exception as error:
        raise CabinetError(path, f"{type(error).__name__}: {error}") from error


def _verified(
    tested: FilledChain,
    slot: str,
    policy: RatePolicy,
    rate_hz: int,
    block_frames: int,
    outputs: int,
    *,
    in_steps: bool,
) -> tuple[RatePolicy, bool]:
    """Return how the only model of a chain is played, and whether nothing was compiled for that.

    A model is tested in its own chain where it is the only one, because that program is needed
    anyway, else alone; without cabinets, which cannot oscillate.
    """
    cached = True
    model = tested.models[slot]
    defaults = Settings(chain=tested.chain).copy_for(tested.chain, tested.knobs)

    def make(policy: RatePolicy, rate_hz: int) -> BuiltRig:
        nonlocal cached
        rig = build_with_policies(
            tested,
            {},
            {slot: policy},
            rate_hz,
            block_frames,
            defaults,
            outputs,
            in_steps=in_steps,
        )
        cached = cached and rig.cached
        return rig

    return verified(model, policy, rate_hz, make, Place(tested.chain, slot)), cached


def build_with_policies(
    filled: FilledChain,
    cabinets: Mapping[str, AnyEffect],
    policies: Mapping[str, RatePolicy],
    rate_hz: int,
    block_frames: int,
    settings: Settings,
    outputs: int = 1,
    *,
    in_steps: bool = False,
) -> BuiltRig:
    """Return the whole rig of a chain, warmed up, not verified."""
    models = {
        slot: _delayed(model, rate_hz) if policies[slot] == "delay" else model
        for slot, model in filled.models.items()
    }
    effects = CHEAP_EFFECTS if filled.is_cheap else EFFECTS
    content = Content(chain=filled.chain, models=models, cabinets=cabinets, effects=effects)
    own_rates = {
        slot: model.sample_rate for slot, model in models.items() if policies[slot] == "resample"
    }
    if in_steps or own_rates or len(models) > 1:
        made = build_steps(content, rate_hz, block_frames, settings, own_rates, outputs)
        return BuiltRig(
            layout=made.layout,
            latency_frames=made.latency_frames,
            policies=policies,
            latencies=made.latencies,
            shipped=made.rig,
            block_frames=block_frames,
            cached=made.cached,
        )
    spec, layout, signature = whole_rig(content, rate_hz, outputs)
    rig, cached = compile_rig(
        spec, block_frames, settings.vector(layout), "rig", signature, rate_hz
    )
    memory = max((memory_frames(model.network) or 0 for model in models.values()), default=0)
    rig = warmed_up(spec, rig, block_frames, rate_hz, memory)
    return BuiltRig(
        layout=layout,
        latency_frames=spec.latency_frames,
        policies=policies,
        shipped=rig,
        block_frames=block_frames,
        cached=cached,
    )


def _delayed(model: Model, rate_hz: int) -> Model:
    """Return a recurrent model with its state delayed for a device's rate."""
    network = with_state_delay(model.network, rate_hz / model.sample_rate)
    return replace(model, network=network)
