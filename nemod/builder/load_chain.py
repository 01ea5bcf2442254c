"""Reads a chain's file, or a preset's, with the files that its slots name."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from nemod.builder.chain_files import ReadChain, read_files
from nemod.builder.filled_chain import FilledChain
from nemod.builder.messages import Level
from nemod.chain import Chain, Slot, read_chain
from nemod.chain.chain import MODEL
from nemod.common.errors import ConfigError, NotFoundError
from nemod.common.kept_files import DamagedFileError, read_kept
from nemod.common.yaml_reader import Tree, parse_yaml, plain
from nemod.library import CABINETS, Library
from nemod.presets.preset import CHAIN_KEY, MAX_BYTES
from nemod.presets.reader import parse


class FoundChain(NamedTuple):
    """A chain's file, and where the files are that its slots name."""

    chain: Chain
    positions: Mapping[str, float] | None
    """Those of a preset, by canonical path."""
    files: Mapping[str, Path]
    """By slot."""


def load_chain(path: str | Path) -> FilledChain:
    """Return the chain of a YAML file, with its models and cabinets, to be passed to `render`.

    The file holds a list of slots, or it is a preset: then the chain has its positions, too;
    without a preset its cabinets are switched on. A slot names its file as the library does, or by
    its path from the chain's file. Raises: ConfigError or ChainError for what is no chain,
    NotFoundError for a file that is not there, ModelError or CabinetError for one that cannot be
    played.
    """
    return read_found(find_chain(Path(path), Library(), Library(kind=CABINETS))).filled


def find_chain(path: Path, models: Library, cabinets: Library) -> FoundChain:
    """Return the chain of a file; see `load_chain`, `find_files`."""
    chain, positions = chain_of_file(path)
    return FoundChain(chain, positions, find_files(chain, path, models, cabinets))


def read_found(
    found: FoundChain, level: Level | None = None, *, default_size: float | None = None
) -> ReadChain:
    """Return a chain with what its slots hold; see `load_chain`, `read_files`."""
    paths = {slot: str(file) for slot, file in found.files.items()}
    read = read_files(found.chain, paths, level, default_size=default_size)
    return read._replace(filled=replace(read.filled, positions=found.positions))


def chain_of_file(path: Path) -> tuple[Chain, Mapping[str, float] | None]:
    """Return the chain of a file, and the positions of a preset by canonical path.

    Raises: ConfigError, ChainError.
    """
    try:
        text = read_kept(path, MAX_BYTES)
    except OSError as error:
        raise ConfigError(str(path), [error.strerror or str(error)]) from None
    except DamagedFileError as error:
        raise ConfigError(str(path), [str(error)]) from None
    tree = parse_yaml(text, str(path), with_tags=False)
    if not isinstance(tree, dict):
        return read_chain(_plain(tree), str(path)), None
    if CHAIN_KEY not in tree:
        raise ConfigError(str(path), [f"a list of slots is expected, or a preset with {CHAIN_KEY}"])
    chain = read_chain(_plain(tree[CHAIN_KEY]), f"{path}: {CHAIN_KEY}")
    # Slots of it that a daemon would skip are errors here; positions are read as it reads them.
    return chain, parse(text, path.stem, path).positions


def _plain(tree: Tree | None) -> object:
    """Return lists, mappings, texts and numbers; names of files stay as they were written."""
    return plain(tree, lambda at: at[-1:] == ("file",))


def find_files(chain: Chain, path: Path, models: Library, cabinets: Library) -> dict[str, Path]:
    """Return the files of a chain's slots, by slot; `path` is the chain's own file.

    A file that was renamed is found by its hash, where the chain has it. Raises: NotFoundError that
    names the slot.
    """
    files = {}
    for slot in chain:
        if slot.file:
            library = models if slot.kind == MODEL else cabinets
            files[slot.name] = _beside(slot, path) or _in_library(slot, path, library)
    return files


def _beside(slot: Slot, path: Path) -> Path | None:
    file = path.parent / slot.file
    try:
        return file if file.is_file() else None
    except OSError as error:  # such as a name that is longer than any file's
        reason = f"{slot.file}: {error.strerror or error}"
        raise NotFoundError(f"{path}: slot {slot.name!r}: {reason}") from None


def _in_library(slot: Slot, path: Path, library: Library) -> Path:
    try:
        return library.find(slot.file)[1]
    except NotFoundError as error:
        renamed = library.find_by_hash(slot.sha256) if slot.sha256 else ""
        if renamed:
            return library.find(renamed)[1]
        raise NotFoundError(f"{path}: slot {slot.name!r}: {error}") from None
