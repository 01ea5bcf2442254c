"""`Plan`: the files, the knobs and the split of a data set, before any sound is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SPLITS = ("train", "validation", "test")
SPLIT_WORDS = {
    **{word: "train" for word in ("train", "training")},
    **{word: "validation" for word in ("val", "valid", "validation")},
    **{word: "test" for word in ("test", "testing")},
}


@dataclass(frozen=True, slots=True)
class Source:
    """A dry and a wet file that were recorded together."""

    name: str
    dry: Path
    wet: Path
    split: str | None = None
    """One of SPLITS; None: cut in three."""
    knobs: Mapping[str, float] = field(default_factory=dict)
    lag: int | None = None
    """[frames] Stated latency of wet; None: measured."""


@dataclass(frozen=True, slots=True)
class Part:
    """Amount of a recording for one split."""

    amount: float
    seconds: bool = False
    """`amount` is in seconds, not a fraction."""

    def frames(self, total: int, rate: int) -> int:
        """Return the number of frames of a recording of `total` frames at `rate` [Hz]."""
        return min(total, round(self.amount * (rate if self.seconds else total)))


DEFAULT_CUT = {"validation": Part(0.1), "test": Part(0.1)}


@dataclass(frozen=True, slots=True)
class Plan:
    """A data set, as its folder or manifest describes it."""

    name: str
    sources: tuple[Source, ...]
    knobs: tuple[str, ...] = ()
    cut: Mapping[str, Part] = field(default_factory=lambda: dict(DEFAULT_CUT))
    """Amounts for validation and test of a recording that is cut; training gets the start."""
    rate: int | None = None
    """[Hz] Rate to resample to; None: the rate of the files."""
    channel: int = 1
    invert: bool = False
    align: bool = True
    cut_at_jumps: bool = False
    """Cut recordings where the latency jumps instead of rejecting them."""
    defaults: Mapping[str, float] = field(default_factory=dict)
    """Default positions of knobs, 0..1; a knob that is not listed has none."""
