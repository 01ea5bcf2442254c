"""What stands on the pages of a layout: the face first, then the slots of the chain in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nemod.parameters.parameter import Parameter
from nemod.parameters.parameter_set import ParameterSet

FACE = ("gain", "bass", "mid", "treble", "delay/mix", "reverb/mix", "level")
"""The knobs of the plug-in's face."""
_ELSEWHERE = frozenset({"bypass", "mute"})
"""They have a place on every page."""
_OWN_PAGE = "tuner"


@dataclass(frozen=True, slots=True)
class Item:
    """A parameter on a page."""

    row: Parameter
    name: str
    """Its label without that of its slot."""

    @property
    def path(self) -> str:
        """Its path below `/nemo/`."""
        return self.row.path


@dataclass(frozen=True, slots=True)
class Slot:
    """Parameters that belong together, as those of an effect."""

    title: str
    items: tuple[Item, ...]


def face(parameters: ParameterSet) -> list[Item]:
    """Return the knobs of the face."""
    return [
        Item(parameters.row(path), parameters.row(path).label.removesuffix(" mix"))
        for path in FACE
        if path in parameters
    ]


def slots(parameters: ParameterSet) -> list[Slot]:
    """Return everything else that belongs to the chain, in the order of the table."""
    grouped: dict[str, list[Parameter]] = {}
    for path in parameters:
        group = path.rpartition("/")[0]
        if path in _ELSEWHERE or group == _OWN_PAGE or (not group and path in FACE):
            continue
        grouped.setdefault(group, []).append(parameters.row(path))
    # What stands alone needs no heading of its own.
    alone = [group for group, rows in grouped.items() if not group or len(rows) == 1]
    rig = [row for group in alone for row in grouped.pop(group)]
    return [_slot(group, rows) for group, rows in ({"rig": rig} | grouped).items() if rows]


def split(found: Sequence[Slot], most: int) -> Iterator[list[Slot]]:
    """Yield pages of at most `most` rows, a title counted as one; a longer slot goes on."""
    page: list[Slot] = []
    used = 0
    for slot in found:
        items = slot.items
        while items:
            room = most - used - 1
            if room < min(len(items), most - 1):
                yield page
                page, used = [], 0
                room = most - 1
            page.append(Slot(slot.title, items[:room]))
            used += 1 + len(items[:room])
            items = items[room:]
    if page:
        yield page


def _slot(group: str, rows: Sequence[Parameter]) -> Slot:
    switch = next((row for row in rows if row.path == f"{group}/enable"), None)
    title = switch.label if switch is not None else group.capitalize()
    items = []
    for row in rows:
        name = "On" if row is switch else row.label
        for word in (title, group.capitalize()):
            begin = f"{word} ".casefold()
            if name.casefold().startswith(begin):
                name = name[len(begin) :].capitalize()
        items.append(Item(row, name))
    return Slot(title, tuple(items))
