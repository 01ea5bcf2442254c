"""What a data set consists of before any sound is read: files, knobs, and how to split them."""

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
    """A dry and a wet file, recorded together."""

    name: str
    dry: Path
    wet: Path
    split: str | None = None
    """One of SPLITS; None: it is cut in three."""
    knobs: Mapping[str, float] = field(default_factory=dict)
    lag: int | None = None
    """[frames] How much later wet is, where it is known; None: measured."""


@dataclass(frozen=True, slots=True)
class Part:
    """How much of a recording one split gets."""

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
    """What validation and test get of a recording that is cut; the start is for training."""
    rate: int | None = None
    """[Hz] Resample to this; None: the files' own."""
    channel: int = 1
    invert: bool = False
    align: bool = True
    cut_at_jumps: bool = False
    """Cut recordings where the latency jumps, in place of refusing them."""
    defaults: Mapping[str, float] = field(default_factory=dict)
    """Default positions of knobs, 0..1; a knob that is not listed has none."""
