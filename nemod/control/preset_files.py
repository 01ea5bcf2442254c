"""Finds the files of a preset, its model and its cabinet: by name and the hash of the content."""

from pathlib import Path
from typing import NamedTuple

import structlog

from nemod.common.errors import NotFoundError
from nemod.control.backends import CLEAN, NO_CABINET, CabinetFile, FileLibrary, ModelFile
from nemod.presets.preset import Preset

log = structlog.get_logger("nemod")


class FoundFiles(NamedTuple):
    """The files of a preset; None for one that is not there."""

    model: ModelFile | None
    cabinet: CabinetFile | None

    def missing(self, preset: Preset) -> str:
        """Return which file of the preset is not there, as a sentence, or nothing."""
        if self.model is None:
            return f"its model {preset.model.name!r} is not in the library"
        if self.cabinet is None:
            return f"its cabinet {preset.cabinet.name!r} is not in the library"
        return ""


class PresetFiles:
    """Finds models and cabinets in their libraries. Thread: any."""

    def __init__(self, models: FileLibrary, cabinets: FileLibrary) -> None:
        self._models = models
        self._cabinets = cabinets

    def named(self, preset: Preset) -> FoundFiles:
        """Return the files of these names; reads no file."""
        return _files(
            preset,
            _named(self._models, preset.model.name),
            _named(self._cabinets, preset.cabinet.name),
        )

    def resolved(self, preset: Preset) -> FoundFiles:
        """Return the files that have the preset's hashes, or else its names; reads files."""
        model, cabinet = preset.model, preset.cabinet
        return _files(
            preset,
            _resolved(self._models, model.name, model.sha256, "model"),
            _resolved(self._cabinets, cabinet.name, cabinet.sha256, "cabinet"),
        )

    @staticmethod
    def has_hash(preset: Preset) -> bool:
        """Return whether `resolved` may find other files than `named`."""
        return bool(preset.model.sha256 or preset.cabinet.sha256)


def _files(
    preset: Preset, model: tuple[str, Path] | None, cabinet: tuple[str, Path] | None
) -> FoundFiles:
    """Return what was found; a preset may be without a model, and without a cabinet."""
    return FoundFiles(
        CLEAN if not preset.model.name else ModelFile(*model) if model else None,
        NO_CABINET if not preset.cabinet.name else CabinetFile(*cabinet) if cabinet else None,
    )


def _named(library: FileLibrary, name: str) -> tuple[str, Path] | None:
    if not name:
        return None
    try:
        return library.find(name)
    except NotFoundError:
        return None


def _resolved(library: FileLibrary, name: str, sha256: str, noun: str) -> tuple[str, Path] | None:
    named = _named(library, name)
    if not name or not sha256:
        return named
    if named is not None and library.content_hash(named[0]) == sha256:
        return named
    other = library.find_by_hash(sha256)
    if other and library.content_hash(other) == sha256:
        return _named(library, other)
    if named is not None:
        log.warning(f"a preset's {noun} has changed since it was saved", **{noun: named[0]})
    return named
