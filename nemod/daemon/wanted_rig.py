"""The rig that is wanted, which the next start is to load.

It differs from what plays while the daemon has to do without a file: one that is missing today, as
on a USB stick, may be there the next time. Thread: control.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from nemod.chain import MODEL
from nemod.control.backends import NO_FILE, RigFiles, RigPlan
from nemod.control.events import DAEMON, Source
from nemod.control.settings import Settings


class WantedRig:
    """What the last session, the command line or a client wants to play."""

    def __init__(self, rig: RigFiles | None = None, *, is_clean: bool = False) -> None:
        """`rig` may name files that are missing: these have no path.

        `is_clean`: somebody wants the first model slot to be empty.
        """
        self.rig = rig or RigFiles()
        self.is_clean = is_clean
        self._positions: Mapping[str, float] = {}
        """Those that were set when a substitute with another chain took its place."""

    def follow(self, plan: RigPlan, source: Source) -> None:
        """Note that a rig plays: what a client has requested is wanted from now on.

        What the daemon plays by itself is a substitute, unless nothing is known to be wanted.
        """
        if source == DAEMON:
            self._adopt(plan.rig)
            return
        before, rig = self.rig, plan.rig
        names = {plan.renamed.get(name, name): name for name in before.slots}
        for slot in rig.slots:
            was = names.get(slot)
            is_substitute = rig.file(slot) == NO_FILE and slot not in plan.fills
            if is_substitute and was is not None and before.chain[was].kind == rig.chain[slot].kind:
                rig = _named(rig, slot, before.chain[was].file, before.paths.get(was))
        self._want(rig)

    def _want(self, rig: RigFiles) -> None:
        self.rig, self._positions = rig, {}
        first = rig.chain.first(MODEL)
        self.is_clean = first is not None and not first.file

    def give_up(self, models: Collection[str], instead: RigFiles | None) -> None:
        """Want these models no more, because they crash; `instead` plays in their place."""
        if instead is not None:
            self._want(instead)
            return
        for slot in self.rig.slots:
            if self.rig.chain[slot].file in models:
                self.rig = self.rig.with_file(slot, NO_FILE)

    def _adopt(self, rig: RigFiles) -> None:
        """Take the files of slots for which no file is wanted."""
        for slot in rig.slots:
            is_same = slot in self.rig.chain and self.rig.chain[slot].kind == rig.chain[slot].kind
            if is_same and not self.rig.chain[slot].file and not self.is_clean:
                self.rig = self.rig.with_file(slot, rig.file(slot))

    def keep_positions(self, settings: Settings) -> None:
        """Keep what was set, before a substitute that may lack some of its slots plays."""
        if settings.chain == self.rig.chain.without_files:
            self._positions = settings.set_positions()

    def positions(self, settings: Settings) -> dict[str, float]:
        """Return what is set, by canonical path of its chain: the present positions.

        Those of slots that a substitute lacks are as they were before it.
        """
        now = settings.positions_in(self.rig.chain)
        if settings.chain == self.rig.chain.without_files:
            return now
        return {**self._positions, **now}

    def paths(self) -> Mapping[str, str]:
        """Return where files are, by slot, for those that are known."""
        return {slot: str(path) for slot, path in self.rig.paths.items()}


def _named(rig: RigFiles, slot: str, name: str, path: Path | None) -> RigFiles:
    """Return a rig with the file that is wanted in a slot, also where it is missing."""
    chain = rig.chain.with_slot(replace(rig.chain[slot], file=name))
    return RigFiles(chain=chain, paths={**rig.paths, **({slot: path} if path else {})})
