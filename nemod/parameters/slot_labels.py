"""What kinds of slots, and slots, are called where they are shown."""

from nemod.chain import Slot
from nemod.parameters.table import BY_PATH

_LABELS = {"eq": "EQ"}


def kind_label(kind: str) -> str:
    """Return what a kind is called: the label of its switch, or its own name."""
    switch = BY_PATH.get(f"{kind}/enable")
    return switch.label if switch is not None else _LABELS.get(kind, kind.capitalize())


def slot_label(slot: Slot) -> str:
    """Return what a slot is called: `Delay 2`, or the name that it was given."""
    plain = slot.name.rstrip("0123456789")
    if plain != slot.kind:
        return slot.name.replace("_", " ").capitalize()
    return f"{kind_label(slot.kind)} {slot.name.removeprefix(plain)}".rstrip()
