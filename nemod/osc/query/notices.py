"""Finds which parts of the address tree clients have to read again (PATH_CHANGED)."""

from collections.abc import Callable

from nemod.chain import FILE_KINDS
from nemod.common.timers import Timer, Timers
from nemod.control.controller import Controller
from nemod.control.events import (
    ChainChanged,
    Event,
    LibraryChanged,
    ModelChanged,
    PresetListChanged,
)
from nemod.osc.addresses.tree import Tree

NOTICE_S = 0.1
"""[s] From a change to its notice; later changes in this time are part of the same notice."""
KNOBS = "/nemo"
"""What all addresses of a model's knobs have in common."""


class ChangeNotices:
    """Notifies clients of changes of the tree, at most every 0.1 s. Thread: control.

    Changes of values are not part of this: they are sent to the clients that listen to them.
    """

    def __init__(
        self,
        controller: Controller,
        current_tree: Callable[[], Tree],
        timers: Timers,
        notify: Callable[[str], None],
    ) -> None:
        """`notify` is called with the path of the container in which something has changed."""
        self._controller = controller
        self._current_tree = current_tree
        self._timers = timers
        self._notify = notify
        self._tree = current_tree()
        self._timer: Timer | None = None
        self._events = controller.subscribe(
            kinds=(ModelChanged, ChainChanged, LibraryChanged, PresetListChanged), wake=self._wake
        )

    def close(self) -> None:
        """Send no more notices."""
        self._events.close()
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = self._timers.later(NOTICE_S, self._run)

    def _run(self) -> None:
        self._timer = None
        paths = [path for event in self._events.take() for path in self._lists(event)]
        before, self._tree = self._tree, self._current_tree()
        if before is not self._tree and _descriptions(before) != _descriptions(self._tree):
            paths = [KNOBS]  # includes the others
        for path in paths:
            self._notify(path)

    def _lists(self, event: Event) -> list[str]:
        """Return the parts whose descriptions list names: `load` has the names in its range."""
        if isinstance(event, PresetListChanged):
            return ["/nemo/preset"]
        if isinstance(event, LibraryChanged):
            slots = [slot.name for slot in self._controller.chain if slot.kind in FILE_KINDS]
            return [f"/nemo/{name}" for name in dict.fromkeys((*FILE_KINDS, *slots))]
        return []


def _descriptions(tree: Tree) -> list[tuple[str, str, str]]:
    """Return what is said of each address, but for its value."""
    return [(leaf.address, leaf.help, leaf.range) for leaf in tree.leaves.values()]
