"""What causes feedback: events of the control core, and values that are looked at regularly."""

from collections.abc import Iterable, Mapping

from nemod.chain import FILE_KINDS, Chain
from nemod.control.controller import Controller
from nemod.control.events import (
    CabinetChanged,
    Event,
    LibraryChanged,
    MidiLearned,
    MidiLearning,
    MidiListChanged,
    ModelChanged,
    PresetChanged,
    PresetListChanged,
    QualityChanged,
    SizeChanged,
    StateChanged,
    TunerReading,
)
from nemod.osc.addresses.chain import SLOTS
from nemod.osc.addresses.midi import LEARNED, LEARNING, LIST, PORTS
from nemod.osc.addresses.models import SIZE
from nemod.osc.addresses.tree import Tree
from nemod.osc.addresses.tuner import CENTS, HZ, NOTE
from nemod.osc.encode import MAX_PACKET

STATUS = "/nemo/status/"
STATUS_INTERVAL_S = 1.0
"""[s] Between two looks at the status."""

_SLOT_LEAVES: Mapping[type[Event], tuple[str, ...]] = {
    ModelChanged: ("current", "index", "info", "size"),
    CabinetChanged: ("current", "index", "info"),
    SizeChanged: ("size",),
}
"""What an event about a slot changes below its address."""
_LIBRARY_LEAVES = ("count", "index", "list", "problems")
_EVENT_ADDRESSES: Mapping[type[Event], tuple[str, ...]] = {
    PresetChanged: ("/nemo/preset/current", "/nemo/preset/index", "/nemo/preset/dirty"),
    PresetListChanged: ("/nemo/preset/count", "/nemo/preset/list"),
    StateChanged: (STATUS + "state",),
    QualityChanged: (STATUS + "reduced",),
    TunerReading: (NOTE, CENTS, HZ),
    MidiLearning: (LEARNING,),
    MidiLearned: (LEARNED,),
    MidiListChanged: (LIST, PORTS),
}
"""What an event changes, besides parameters, meters, and what is about slots."""
KINDS: tuple[type[Event], ...] = (*_SLOT_LEAVES, LibraryChanged, *_EVENT_ADDRESSES)
"""Events that change addresses in `addresses_of`."""


def addresses_of(event: Event, chain: Chain) -> tuple[str, ...]:
    """Return the addresses that an event changes, those included that do not exist now."""
    if isinstance(event, ModelChanged | CabinetChanged | SizeChanged):
        roots = [f"/nemo/{event.slot}/"]
        if event.slot in chain and chain.is_first(event.slot):
            roots.append(f"/nemo/{chain[event.slot].kind}/")
        below = _SLOT_LEAVES[type(event)]
        addresses = [root + leaf for root in dict.fromkeys(roots) for leaf in below]
        is_first_model = len(roots) > 1 and not isinstance(event, CabinetChanged)
        return (*addresses, *((SIZE,) if is_first_model else ()), SLOTS)
    if isinstance(event, LibraryChanged):
        slots = [slot.name for slot in chain if slot.kind in FILE_KINDS]
        names = dict.fromkeys((*FILE_KINDS, *slots))
        changed = [f"/nemo/{name}/{leaf}" for name in names for leaf in _LIBRARY_LEAVES]
        return tuple(changed)
    return _EVENT_ADDRESSES.get(type(event), ())


class StatusWatch:
    """Finds which leaves of the status have changed."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._known: dict[str, bytes] = {}

    def changed(self, tree: Tree, addresses: Iterable[str]) -> list[str]:
        """Return those of these addresses that answer something else than at the last look."""
        changed = []
        for address in addresses:
            read = tree.leaves[address].read
            message = read(self._controller, MAX_PACKET, 0) if read else b""
            if self._known.get(address) != message:
                self._known[address] = message
                changed.append(address)
        return changed
