"""Finds the file of a preset's model: by its name and the hash of its content."""

import structlog

from nemod.common.errors import NotFoundError
from nemod.control.backends import CLEAN, ModelFile, ModelLibrary
from nemod.presets.preset import ModelReference

log = structlog.get_logger("nemod")


class PresetModels:
    """Finds models of the library. Thread: any."""

    def __init__(self, library: ModelLibrary) -> None:
        self._library = library

    def named(self, model: ModelReference) -> ModelFile | None:
        """Return the file of this name, the clean rig for none; reads no file."""
        if not model.name:
            return CLEAN
        try:
            return ModelFile(*self._library.find(model.name))
        except NotFoundError:
            return None

    def resolved(self, model: ModelReference) -> ModelFile | None:
        """Return the file that has the model's hash, or else the one of its name; reads files."""
        named = self.named(model)
        if not model.name or not model.sha256:
            return named
        if named is not None and self._library.content_hash(named.name) == model.sha256:
            return named
        other = self._library.find_by_hash(model.sha256)
        if other and self._library.content_hash(other) == model.sha256:
            return self.named(ModelReference(name=other))
        if named is not None:
            log.warning("a preset's model has changed since it was saved", model=named.name)
        return named
