"""Messages between the daemon and the builder."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    """0..1: largest size of a model that has several."""
    is_reverb_cheap: bool = False
    """Whether the reverb has fewer lines; see `nemod.fx.reverb`."""


FULL_QUALITY = Reduction()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """Daemon -> builder: build the rig of a model."""

    request_id: int
    path: str
    """The model's file; empty for the clean rig, without a model."""
    rate_hz: int
    block_frames: int
    positions: dict[str, float]
    """Positions that were set; the rig is warmed up with them, and with the model's defaults."""
    level: Level = Level()
    size: float | None = None
    """0..1: the size to choose from a model that has several."""
    cabinet_path: str = ""
    """The cabinet's impulse response; empty for no cabinet."""
    reduction: Reduction = FULL_QUALITY


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """Builder -> daemon: the pickled rig, with what the daemon needs to know about it."""

    request_id: int
    rig: bytes
    """A pickled `AnyCompiledRig`; see `nemod.engine.ipc.PlayRig`."""
    layout: tuple[str, ...]
    """Paths of the controls, in the order of a settings record."""
    latency_frames: int
    knobs: tuple[KnobSpec, ...]
    """The conditioning knobs of the model, with their defaults."""
    model_rate_hz: int
    rate_policy: str
    """`exact`, `delay` or `resample`."""
    info: dict[str, Any]
    """JSON object that answers `/nemo/model/info`."""
    cabinet_info: dict[str, Any] = field(default_factory=dict)
    """JSON object that answers `/nemo/cab/info`; empty without a cabinet."""
    cached: bool
    """Whether every program came from the cache on disk."""
    sizes: tuple[float, ...] = ()
    """See `nemod.formats.model.Model`."""
    reduction: Reduction = FULL_QUALITY
    """That of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFailure:
    """Builder -> daemon: the rig could not be built."""

    request_id: int
    reason: str
    is_model_fault: bool = False
    """Whether the file is the cause, so that a retry is useless until the file has changed."""
    is_cabinet_fault: bool = False
    """Likewise for the file of the cabinet."""
