"""The presets before and after the current one: their models are built ahead. Thread: control."""

import asyncio
from collections.abc import Iterable, Sequence

from nemod.common.background import in_background
from nemod.control.backends import ModelFile, Player, Recall
from nemod.control.events import Source
from nemod.control.preset_list import PresetList
from nemod.control.preset_models import PresetModels
from nemod.presets.preset import Preset


class Neighbours:
    """Has the player build the models of the next and the previous preset."""

    def __init__(self, presets: PresetList, models: PresetModels, player: Player) -> None:
        self._presets = presets
        self._models = models
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
        if not any(preset.model.sha256 for preset in presets):
            self._request(presets, [self._models.named(preset.model) for preset in presets])
            return

        def resolved(search: "asyncio.Future[list[ModelFile | None]]") -> None:
            if self._newest is presets and not search.cancelled() and search.exception() is None:
                self._request(presets, search.result())

        in_background(
            lambda: [self._models.resolved(preset.model) for preset in presets]
        ).add_done_callback(resolved)

    def _request(self, presets: Iterable[Preset], files: Iterable[ModelFile | None]) -> None:
        self._player.build_ahead(
            [
                (file, Recall(preset.positions, preset.model.size, Source("preset", preset.name)))
                for preset, file in zip(presets, files, strict=True)
                if file is not None
            ]
        )
