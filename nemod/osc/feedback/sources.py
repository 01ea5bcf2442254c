"""What causes feedback: events of the control core, and values that are looked at regularly."""

from collections.abc import Iterable, Mapping

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
from nemod.osc.addresses.midi import LEARNED, LEARNING, LIST, PORTS
from nemod.osc.addresses.tree import Tree
from nemod.osc.addresses.tuner import CENTS, HZ, NOTE
from nemod.osc.encode import MAX_PACKET

STATUS = "/nemo/status/"
STATUS_INTERVAL_S = 1.0
"""[s] Between two looks at the status."""

EVENT_ADDRESSES: Mapping[type[Event], tuple[str, ...]] = {
    ModelChanged: (
        "/nemo/model/current",
        "/nemo/model/index",
        "/nemo/model/info",
        "/nemo/size",
    ),
    CabinetChanged: ("/nemo/cab/current", "/nemo/cab/index", "/nemo/cab/info"),
    SizeChanged: ("/nemo/size",),
    LibraryChanged: (
        "/nemo/model/count",
        "/nemo/model/index",
        "/nemo/model/list",
        "/nemo/model/problems",
        "/nemo/cab/count",
        "/nemo/cab/index",
        "/nemo/cab/list",
        "/nemo/cab/problems",
    ),
    PresetChanged: ("/nemo/preset/current", "/nemo/preset/index", "/nemo/preset/dirty"),
    PresetListChanged: ("/nemo/preset/count", "/nemo/preset/list"),
    StateChanged: (STATUS + "state",),
    QualityChanged: (STATUS + "reduced",),
    TunerReading: (NOTE, CENTS, HZ),
    MidiLearning: (LEARNING,),
    MidiLearned: (LEARNED,),
    MidiListChanged: (LIST, PORTS),
}
"""What an event changes, besides `Changed` (the addresses of a parameter) and `Meters`."""


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
