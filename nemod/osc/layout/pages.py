"""What stands on the pages of a layout: the face first, then the slots of the chain in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nemod.chain.chain import FILE_KINDS, MODEL
from nemod.parameters.parameter import Parameter
from nemod.parameters.parameter_set import ParameterSet
from nemod.parameters.slot_labels import kind_label, slot_label

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
class Files:
    """The files of a slot, of which the previous and the next can be loaded."""

    path: str
    """What their addresses begin with below `/nemo/`."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What belongs together, as the parameters of an effect."""

    title: str
    items: tuple[Item | Files, ...]


def face(parameters: ParameterSet) -> list[Item]:
    """Return the knobs of the face."""
    return [
        Item(parameters.row(path), parameters.row(path).label.removesuffix(" mix"))
        for path in FACE
        if path in parameters
    ]


def slots(parameters: ParameterSet) -> list[Slot]:
    """Return everything but the face: the rig, the slots of the chain in order, and the rest."""
    rows: dict[str, list[Parameter]] = {slot.name: [] for slot in parameters.chain}
    others: dict[str, list[Parameter]] = {}
    for path in parameters:
        slot = parameters.place(path).slot
        group = path.rpartition("/")[0]
        if path in _ELSEWHERE or group == _OWN_PAGE or (path in FACE and "/" not in path):
            continue
        (rows[slot] if slot else others.setdefault(group, [])).append(parameters.row(path))
    # What stands alone needs no heading of its own.
    alone = [group for group, found in others.items() if not group or len(found) == 1]
    rig = [row for group in alone for row in others.pop(group)]
    found = [Slot("Rig", _items(rig, ()))]
    for slot_ in parameters.chain:
        words = (slot_label(slot_), kind_label(slot_.kind), slot_.kind.capitalize())
        items = _items(rows[slot_.name], words, slot_.name)
        found.append(Slot(words[0], (*_files(parameters, slot_.name), *items)))
    found += [Slot(group.capitalize(), _items(rest, (group,))) for group, rest in others.items()]
    return [slot for slot in found if slot.items]


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


def _files(parameters: ParameterSet, name: str) -> list[Files]:
    """Return the files of a slot; those of the first model stand on every page."""
    chain = parameters.chain
    kind = chain[name].kind
    if kind not in FILE_KINDS or (kind == MODEL and chain.is_first(name)):
        return []
    return [Files(kind if chain.is_first(name) else name)]


def _items(rows: Sequence[Parameter], words: Sequence[str], name: str = "") -> tuple[Item, ...]:
    """Return rows with short names: without the words for their slot, and without its name."""
    items = []
    for row in rows:
        short = row.label.removesuffix(f" ({name})")
        for word in words:
            if short.casefold().startswith(f"{word} ".casefold()):
                short = short[len(word) + 1 :].capitalize()
        items.append(Item(row, "On" if row.path.endswith("/enable") else short))
    return tuple(items)
