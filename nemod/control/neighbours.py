"""The presets before and after the current one: their rigs are built ahead. Thread: control."""

import asyncio
from collections.abc import Iterable, Sequence

from nemod.chain import MODEL
from nemod.common.background import in_background
from nemod.control.backends import CLEAN, Player, RigPlan
from nemod.control.events import Source
from nemod.control.preset_files import FoundFiles, PresetFiles
from nemod.control.preset_list import PresetList
from nemod.presets.preset import Preset


class Neighbours:
    """Has the player build the rigs of the next and the previous preset."""

    def __init__(self, presets: PresetList, files: PresetFiles, player: Player) -> None:
        self._presets = presets
        self._files = files
        self._player = player
        self._newest: Sequence[Preset] = ()

    def build(self, number: int) -> None:
        """Build those around a preset by its number; -1 stands before the first."""
        numbers = dict.fromkeys(self._presets.neighbour(number, step) for step in (1, -1))
        presets = [
            preset
            for other in numbers
            if other is not None and other != number
            if (preset := self._presets.peek(other)) is not None
        ]
        self._newest = presets
        if not any(map(self._files.has_hash, presets)):
            self._request(presets, list(map(self._files.named, presets)))
            return

        def resolved(search: "asyncio.Future[list[FoundFiles]]") -> None:
            if self._newest is presets and not search.cancelled() and search.exception() is None:
                self._request(presets, search.result())

        in_background(lambda: list(map(self._files.resolved, presets))).add_done_callback(resolved)

    def _request(self, presets: Iterable[Preset], files: Iterable[FoundFiles]) -> None:
        self._player.build_ahead(
            [
                plan(preset, found)
                for preset, found in zip(presets, files, strict=True)
                if not found.missing
            ]
        )


def plan(preset: Preset, found: FoundFiles) -> RigPlan:
    """Return what is to play when a preset is loaded, with the files found for it."""
    first = found.rig.first(MODEL)
    return RigPlan(
        subject=first.name or CLEAN,
        rig=found.rig,
        fills=frozenset(found.rig.slots),
        sound=preset.positions,
        source=Source("preset", preset.name),
    )
