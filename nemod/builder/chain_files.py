"""Reads the files of a chain: from the paths of its slots to a `FilledChain`.

What was read is kept by path, size and time of change: a rig in which one of several files has
changed needs that one alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from nemod.builder.build import at_slot, naming_cabinet
from nemod.builder.describe import describe
from nemod.builder.filled_chain import FilledChain
from nemod.builder.level import levelled_chain
from nemod.builder.messages import Level
from nemod.builder.probe import verify_probe
from nemod.chain import Chain
from nemod.chain.chain import CABINET, MODEL
from nemod.common.remembered import Remembered
from nemod.formats import load_model
from nemod.formats.impulse_response import ImpulseResponse, load_impulse_response
from nemod.formats.model import Model
from nemod.formats.readers.document import Json

KEPT_FILES = 16


class _Read(NamedTuple):
    """A model as its file has it."""

    model: Model
    probe_error: float | None


class ReadChain(NamedTuple):
    """A chain with its files read and their levels adjusted."""

    filled: FilledChain
    infos: Mapping[str, dict[str, Json]]
    """What there is to know about each model, by slot."""


def read_files(
    chain: Chain,
    files: Mapping[str, str],
    level: Level | None = None,
    *,
    default_size: float | None = None,
) -> ReadChain:
    """Return a chain with the files of its slots; those without one stay empty.

    `default_size` (0..1) is that of models in slots without a size. Raises: ModelError,
    CabinetError; their `slot` is at fault.
    """
    responses: dict[str, ImpulseResponse] = {}
    for slot in chain.of_kind(CABINET):
        path = files.get(slot.name, "")
        if path:
            with at_slot(slot.name), naming_cabinet(path):
                responses[slot.name] = load_impulse_response(Path(path))
    read: dict[str, _Read] = {}
    for slot in chain.of_kind(MODEL):
        path = files.get(slot.name, "")
        if path:
            with at_slot(slot.name):
                read[slot.name] = _model(path, default_size if slot.size is None else slot.size)
    models = {slot: each.model for slot, each in read.items()}
    adjusted = levelled_chain(chain, models, level or Level())
    infos: dict[str, dict[str, Json]] = {}
    for name, each in read.items():
        facts: dict[str, Json] = {**adjusted[name].facts, "probe_error": each.probe_error}
        infos[name] = describe(each.model).plain() | facts
    filled = FilledChain(
        chain=chain,
        models={slot: each.model for slot, each in adjusted.items()},
        responses=responses,
    )
    return ReadChain(filled, infos)


def _model(path: str, size: float | None) -> _Read:
    def read() -> _Read:
        model = load_model(Path(path), size=size)
        return _Read(model, verify_probe(model))

    try:
        found = Path(path).stat()
    except OSError:
        return read()  # which says what is wrong with the file
    return _MODELS.get((path, size, found.st_ino, found.st_size, found.st_mtime_ns), read)


_MODELS: Remembered[_Read] = Remembered(KEPT_FILES)
