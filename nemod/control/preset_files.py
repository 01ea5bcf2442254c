"""Finds the files of a preset, its models and cabinets: by name and the hash of the content."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import structlog

from nemod.chain import CABINET, MODEL, Chain, Slot
from nemod.common.errors import NotFoundError
from nemod.control.backends import FileLibrary, RigFiles, SlotFile
from nemod.control.slot_files import NOUNS
from nemod.presets.preset import Preset

log = structlog.get_logger("nemod")


class FoundFiles(NamedTuple):
    """The chain of a preset with its files."""

    rig: RigFiles
    missing: tuple[Slot, ...] = ()
    """The slots whose files are not there."""

    @property
    def problem(self) -> str:
        """Return which files are not there, as a sentence, or nothing."""
        return "; ".join(
            f"slot {slot.name!r}: its {NOUNS[slot.kind]} {slot.file!r} is not in the library"
            for slot in self.missing
        )


_Find = Callable[[FileLibrary, Slot], tuple[str, Path] | None]


class PresetFiles:
    """Finds models and cabinets in their libraries. Thread: any."""

    def __init__(self, models: FileLibrary, cabinets: FileLibrary) -> None:
        self._libraries: Mapping[str, FileLibrary] = {MODEL: models, CABINET: cabinets}

    def named(self, preset: Preset) -> FoundFiles:
        """Return the files of these names; reads no file."""
        return self._found(preset, lambda library, slot: _named(library, slot.file))

    def resolved(self, preset: Preset) -> FoundFiles:
        """Return the files that have the preset's hashes, or else its names; reads files."""
        return self._found(preset, _resolved)

    @staticmethod
    def has_hash(preset: Preset) -> bool:
        """Return whether `resolved` may find other files than `named`."""
        return any(slot.sha256 for slot in preset.chain)

    def hashed(self, chain: Chain) -> Chain:
        """Return a chain with the hashes of its files, by which renamed ones are found.

        Reads files.
        """
        for slot in chain:
            library = self._libraries.get(slot.kind)
            if library is not None and slot.file:
                chain = chain.with_slot(replace(slot, sha256=library.content_hash(slot.file)))
        return chain

    def _found(self, preset: Preset, find: _Find) -> FoundFiles:
        rig, missing = RigFiles(chain=preset.chain), []
        for slot in preset.chain:
            library = self._libraries.get(slot.kind)
            if library is None:
                continue
            found = find(library, slot) if slot.file else None
            if slot.file and found is None:
                missing.append(slot)
            rig = rig.with_file(slot.name, SlotFile(*found) if found else SlotFile())
        return FoundFiles(rig, tuple(missing))


def _named(library: FileLibrary, name: str) -> tuple[str, Path] | None:
    try:
        return library.find(name)
    except NotFoundError:
        return None


def _resolved(library: FileLibrary, slot: Slot) -> tuple[str, Path] | None:
    named = _named(library, slot.file)
    if not slot.sha256:
        return named
    if named is not None and library.content_hash(named[0]) == slot.sha256:
        return named
    other = library.find_by_hash(slot.sha256)
    if other and library.content_hash(other) == slot.sha256:
        return _named(library, other)
    if named is not None:
        noun = NOUNS[slot.kind]
        log.warning(f"a preset's {noun} has changed since it was saved", **{noun: named[0]})
    return named
