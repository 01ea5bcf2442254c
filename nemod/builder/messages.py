"""Messages between the daemon and the builder."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from nemod.chain import Chain
from nemod.chain.chain import MODEL
from nemod.parameters.parameter_set import KnobSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How the level of a model is adjusted; see `nemod.builder.level`."""

    normalize: bool = False
    input_dbu: float | None = None
    """[dBu] Level of a sine at the interface's input that reaches full scale."""


class Reduction(NamedTuple):
    """How far the quality is reduced, because the machine is too slow for all of it."""

    size: float = 1.0
    """0..1: largest size of models that have several."""
    is_reverb_cheap: bool = False
    """Whether reverbs have fewer lines; see `nemod.fx.reverb`."""

    def of_chain(self, chain: Chain) -> Chain:
        """Return a chain whose models are no larger than allowed."""
        for slot in chain:
            if slot.kind == MODEL and (1.0 if slot.size is None else slot.size) > self.size:
                chain = chain.with_slot(replace(slot, size=self.size))
        return chain


FULL_QUALITY = Reduction()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """Daemon -> builder: build the rig of a chain."""

    request_id: int
    chain: Chain
    """Its slots in order, and the sizes of models that have several. The names of files in it are
    not used."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Absolute paths of model and cabinet files by the name of their slot. A slot without one is
    empty; with no model at all it is the clean rig."""
    rate_hz: int
    block_frames: int
    outputs: int = 1
    """1, or 2 for left and right."""
    positions: Mapping[str, float]
    """Positions that were set, by canonical path; the rig is warmed up with them, and with the
    defaults of its models."""
    level: Level = Level()
    reduction: Reduction = FULL_QUALITY


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """Builder -> daemon: the pickled rig, with what the daemon needs to know about it."""

    request_id: int
    rig: bytes
    """A pickled `AnyCompiledRig`; see `nemod.engine.ipc.PlayRig`."""
    layout: tuple[str, ...]
    """Canonical paths of the controls, in the order of a settings record; `gain`, `level` and
    `model2/gain` are drive and fader there, `knob/1` and `model2/knob/1` the knobs of a model."""
    latency_frames: int
    """Of the whole rig; its bypass has the same."""
    knobs: Mapping[str, tuple[KnobSpec, ...]]
    """The conditioning knobs of each model, with their defaults, by slot; only of slots that hold
    a file."""
    infos: Mapping[str, dict[str, Any]]
    """JSON objects that answer `/nemo/<slot>/info`, by slot; only of slots that hold a file. That
    of a model also has `model_rate_hz`, `rate_policy` (`exact`, `delay` or `resample`) and
    `latency_frames`."""
    cached: bool
    """Whether every program came from the cache on disk."""
    sizes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Where the sizes of each model begin, by slot; see `nemod.formats.model.Model`."""
    reduction: Reduction = FULL_QUALITY
    """That of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFailure:
    """Builder -> daemon: the rig could not be built."""

    request_id: int
    reason: str
    slot: str = ""
    """The slot whose file is the cause, so that a retry is useless until the file has changed.
    Empty for every other failure."""
