"""Leaves of what the tuner shows: `/nemo/tuner/note`, `cents`, `hz`; its knobs are parameters."""

from nemod.osc.addresses.flags import Flag, Flags
from nemod.osc.addresses.leaf import Leaf, reader
from nemod.osc.addresses.values import LeafKind

TUNER_ROOT = "/nemo/tuner/"
NOTE, CENTS, HZ = TUNER_ROOT + "note", TUNER_ROOT + "cents", TUNER_ROOT + "hz"

_FLAGS: Flags = frozenset({Flag.TUNER})


def tuner_leaves() -> list[Leaf]:
    """Return the leaves of what the tuner shows."""
    return [
        Leaf(
            address=NOTE,
            kind=LeafKind.STRING,
            help="Nearest note with its octave, as `E2`; empty when no single string is heard.",
            read=reader(NOTE, LeafKind.STRING, lambda controller: controller.tuner().note),
            flags=_FLAGS,
        ),
        Leaf(
            address=CENTS,
            kind=LeafKind.FLOAT,
            help="How far the string is above the note, in cents; 0 when none is heard.",
            low=-50.0,
            high=50.0,
            read=reader(CENTS, LeafKind.FLOAT, lambda controller: controller.tuner().cents),
            wildcard_settable=True,
            flags=_FLAGS,
        ),
        Leaf(
            address=HZ,
            kind=LeafKind.FLOAT,
            help="Frequency of the string, in Hz; 0 when none is heard.",
            low=0.0,
            unit="Hz",
            read=reader(HZ, LeafKind.FLOAT, lambda controller: controller.tuner().hz),
            wildcard_settable=True,
            flags=_FLAGS,
        ),
    ]
