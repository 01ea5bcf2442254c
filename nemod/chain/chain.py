"""What a chain is: named slots in order, one of which may split into two branches. Immutable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

MODEL, CABINET, SPLIT = "model", "cab", "split"
KINDS = (
    "gate",
    "comp",
    "autowah",
    MODEL,
    CABINET,
    "eq",
    "phaser",
    "chorus",
    "flanger",
    "tremolo",
    "delay",
    "reverb",
    SPLIT,
)
"""What a slot can hold. A slot's name is its kind unless a number or another name is given."""
FILE_KINDS = (MODEL, CABINET)
"""Kinds whose slots hold a file of a library."""
MAX_SLOTS = 16
"""Most slots of a chain, those in branches and the split itself included."""
MAX_MODELS = 4
MAX_FILE_NAME = 1024
"""[characters] Longest name of a file in a library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in a chain, and what is in it."""

    name: str
    kind: str
    """One of `KINDS`."""
    file: str = ""
    """For a kind of `FILE_KINDS`: its name in the library. Empty: the slot changes nothing."""
    sha256: str = ""
    """Hash of the file, by which a renamed one is found; empty where it is not known."""
    size: float | None = None
    """0..1: the size of a model that has several; None is the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A place where the signal splits into two branches, which are mixed again behind them.

    It is a slot, too: its controls are the mix of the branches and their levels.
    """

    name: str = SPLIT
    a: tuple[Slot, ...] = ()
    """An empty branch passes the signal unchanged."""
    b: tuple[Slot, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of its slot."""
        return SPLIT

    @property
    def branches(self) -> tuple[tuple[Slot, ...], tuple[Slot, ...]]:
        """Both branches, a and b."""
        return (self.a, self.b)


@dataclass(frozen=True, slots=True)
class Chain:
    """Slots in the order of the signal. Names are unique."""

    places: tuple[Slot | Split, ...]

    def __iter__(self) -> Iterator[Slot]:
        """Yield all slots in order: a split before its branches, branch a before branch b."""
        for place in self.places:
            if isinstance(place, Split):
                yield Slot(name=place.name, kind=SPLIT)
                yield from place.a
                yield from place.b
            else:
                yield place

    def __len__(self) -> int:
        """Return the number of slots."""
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        """Whether a slot has this name."""
        return any(slot.name == name for slot in self)

    def __getitem__(self, name: str) -> Slot:
        """Return a slot by name. Raises: KeyError."""
        for slot in self:
            if slot.name == name:
                return slot
        raise KeyError(name)

    @property
    def split(self) -> Split | None:
        """The split, where the chain has one."""
        return next((place for place in self.places if isinstance(place, Split)), None)

    def of_kind(self, kind: str) -> tuple[Slot, ...]:
        """Return the slots of a kind in order; the first is the one that short addresses name."""
        return tuple(slot for slot in self if slot.kind == kind)

    def first(self, kind: str) -> Slot | None:
        """Return the first slot of a kind, if there is one."""
        return next((slot for slot in self if slot.kind == kind), None)

    def is_first(self, name: str) -> bool:
        """Whether a slot is the first of its kind. Raises: KeyError."""
        return self.first(self[name].kind) == self[name]

    @property
    def files(self) -> Mapping[str, str]:
        """Names of files by slot, for the slots that can hold one."""
        return {slot.name: slot.file for slot in self if slot.kind in FILE_KINDS}

    @property
    def without_files(self) -> "Chain":
        """The same slots without files and sizes: chains of one structure are equal."""
        return self._mapped({slot.name: Slot(name=slot.name, kind=slot.kind) for slot in self})

    def with_slot(self, slot: Slot) -> "Chain":
        """Return the chain with another content of the slot of this name. Raises: KeyError."""
        if slot.kind == SPLIT:
            raise KeyError(slot.name)
        if self[slot.name].kind != slot.kind:
            raise KeyError(slot.name)
        return self._mapped({slot.name: slot})

    def _mapped(self, others: Mapping[str, Slot]) -> "Chain":
        def other(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
            return tuple(others.get(slot.name, slot) for slot in slots)

        return Chain(
            tuple(
                replace(place, a=other(place.a), b=other(place.b))
                if isinstance(place, Split)
                else others.get(place.name, place)
                for place in self.places
            )
        )


DEFAULT_CHAIN = Chain(
    tuple(
        Slot(name=kind, kind=kind)
        for kind in ("gate", "comp", MODEL, CABINET, "eq", "delay", "reverb")
    )
)
"""The chain of a rig that names no other."""
DEFAULT_NAME = "default"
"""The name by which it is set."""
