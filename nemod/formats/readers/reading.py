"""What passes between `load_model` and the reader of a dialect."""

from dataclasses import dataclass, field
from typing import NamedTuple

from nemod.formats.info import ModelInfo
from nemod.formats.model import Knob, Probe
from nemod.formats.network import Network
from nemod.formats.readers.document import Node
from nemod.formats.readers.extras import Extras
from nemod.formats.weights import Weights


class Source(NamedTuple):
    """What a reader is given."""

    root: Node
    extras: Extras
    """Through which a reader takes what a model plays without."""
    size: float | None = None
    """Requested size, 0..1, of a file that holds several; None: the full one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader returns: a model without what follows from its dialect."""

    network: Network
    weights: Weights
    knobs: tuple[Knob, ...] = ()
    sample_rate: int | None = None
    """[Hz] As the file states it."""
    in_gain: float = 1.0
    out_gain: float = 1.0
    prewarm_frames: int = 0
    probe: Probe | None = None
    sizes: int = 1
    """How many sizes the file holds; `Source.size` chooses one."""
    info: ModelInfo = field(default_factory=ModelInfo)
    size_starts: tuple[float, ...] = ()
    """See `nemod.formats.model.Model`."""
