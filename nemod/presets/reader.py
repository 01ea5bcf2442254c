"""Reads a preset's file leniently.

A wrong value takes its default and what this version does not know is kept; both are logged. Only
what is not plain YAML, without aliases and tags, and with keys at its top, cannot be read.
"""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from nemod.common.errors import ConfigError
from nemod.common.kept_files import DamagedFileError, Skipped, short
from nemod.common.yaml_reader import Scalar, Tree, parse_yaml, plain
from nemod.common.yaml_writer import is_writable
from nemod.parameters.kept import read_positions
from nemod.parameters.table import canonical, param
from nemod.presets.preset import (
    MAX_BYTES,
    MAX_SNAPSHOTS,
    CabinetReference,
    ModelReference,
    Preset,
    name_problem,
)
from nemod.presets.writer import VERSION

MAX_LOGGED = 5
"""Most skipped values of one file that are logged one by one."""
MAX_FILE_NAME = 1024
"""[characters]"""
_KEYS = ("version", "name", "model", "cabinet", "positions", "snapshots")
_FILE_KEYS = ("name", "sha256")
_MODEL_KEYS = (*_FILE_KEYS, "size")
_HEX = frozenset("0123456789abcdef")


def parse(text: str, name: str, file: Path | str = "") -> Preset:
    """Return the preset in a file's text; what is skipped is logged.

    `name` is for a preset without a valid one; `file` is what the log names.

    Raises: DamagedFileError for a text that is too long or no mapping in plain YAML.
    """
    if len(text.encode()) > MAX_BYTES:
        raise DamagedFileError(f"larger than {MAX_BYTES} bytes")
    try:
        tree = parse_yaml(text, str(file), with_tags=False)
    except ConfigError as error:
        raise DamagedFileError("; ".join(error.problems)) from None
    if not isinstance(tree, dict):
        raise DamagedFileError("keys (name, model, positions, ...) are expected")
    reader = _Reader(tree)
    preset = reader.read(name)
    warning = structlog.get_logger("nemod").bind(file=str(file)).warning
    reader.skipped.log(warning, "preset", MAX_LOGGED)
    return preset


class _Reader:
    """Reads the tree of a preset's file and gathers what it skips."""

    def __init__(self, tree: Mapping[str, Tree]) -> None:
        self.skipped = Skipped()
        self._tree = tree

    def read(self, name: str) -> Preset:
        """Return the preset; `name` is its name where the file has no valid one."""
        self._check_version()
        positions, unknown_positions = self._positions("positions", self._tree.get("positions"))
        snapshots, unknown_snapshots = self._snapshots()
        return Preset(
            name=self._name(name),
            model=self._model(),
            cabinet=self._cabinet(),
            positions=positions,
            snapshots=snapshots,
            unknown={
                key: value
                for key, value in self._tree.items()
                if key not in _KEYS and self._is_kept(key, "unknown key", value)
            },
            unknown_positions=unknown_positions,
            unknown_snapshots=unknown_snapshots,
        )

    def _check_version(self) -> None:
        version = _value(self._tree.get("version"))
        if type(version) is not int or version != VERSION:
            reason = f"{short(version)}: written by another version, read as {VERSION}"
            self.skipped.add("version", reason)

    def _name(self, default: str) -> str:
        name = _text(self._tree.get("name"))
        problem = "a text is expected" if name is None else name_problem(name)
        if name is None or problem:
            self.skipped.add("name", problem)
            return default
        return name

    def _model(self) -> ModelReference:
        tree, name, sha256 = self._file("model", _MODEL_KEYS)
        size = self.skipped.fraction("model.size", _value(tree.get("size")))
        return ModelReference(name=name, sha256=sha256, size=size)

    def _cabinet(self) -> CabinetReference:
        _, name, sha256 = self._file("cabinet", _FILE_KEYS)
        return CabinetReference(name=name, sha256=sha256)

    def _file(self, key: str, known: tuple[str, ...]) -> tuple[dict[str, Tree], str, str]:
        """Return what is below the key of a file, with the file's name and hash."""
        tree = self._mapping(key, self._tree.get(key))
        for below in tree:
            if below not in known:  # it need not be true of the next file
                self.skipped.keep(f"{key}.{below}", "unknown key", is_writable=False)
        name, sha256 = _text(tree.get("name", "")), _text(tree.get("sha256", ""))
        if name is None or len(name) > MAX_FILE_NAME or any(map(_is_control, name)):
            self.skipped.add(f"{key}.name", f"a name is expected, not {short(name)}")
            name = ""
        if sha256 is None or (sha256 and (len(sha256) != 64 or not _HEX.issuperset(sha256))):
            self.skipped.add(f"{key}.sha256", f"64 hexadecimal digits, not {short(sha256)}")
            sha256 = ""
        return tree, name, sha256

    def _positions(self, key: str, tree: Any) -> tuple[dict[str, float], dict[str, object]]:
        """Return the positions of known parameters by canonical path, and everything else."""
        mapping = self._mapping(key, tree)
        values = {path: _value(below) for path, below in mapping.items()}
        found, paths = read_positions(values, _canonical, self.skipped, key)
        unknown: dict[str, object] = {
            path: mapping[path]
            for path in paths
            if self._is_kept(f"{key}.{path}", "no parameter of a preset", mapping[path], path)
        }
        return found, unknown

    def _snapshots(self) -> tuple[dict[int, dict[str, float]], dict[str, object]]:
        found: dict[int, dict[str, float]] = {}
        unknown: dict[str, object] = {}
        for key, below in self._mapping("snapshots", self._tree.get("snapshots")).items():
            at = f"snapshots.{key}"
            if key in _NUMBERS:
                found[int(key)], more = self._positions(at, below)
                if more:
                    unknown[key] = more
            elif self._is_kept(at, f"not a number from 0 to {MAX_SNAPSHOTS - 1}", below, key):
                unknown[key] = below
        return found, unknown

    def _mapping(self, key: str, tree: Tree | None) -> dict[str, Tree]:
        """Return what is below a key; nothing where it is absent or empty."""
        if isinstance(tree, dict):
            return tree
        if tree is not None and not (isinstance(tree, Scalar) and tree.value is None):
            self.skipped.add(key, f"keys are expected, not {short(_value(tree))}")
        return {}

    def _is_kept(self, key: str, what: str, value: Tree, name: str = "") -> bool:
        """Whether something unknown can be written again; it is skipped in any case."""
        return self.skipped.keep(key, what, is_writable(name or key, value))


_NUMBERS = frozenset(map(str, range(MAX_SNAPSHOTS)))


def _canonical(path: str) -> str:
    """Return the canonical path of a parameter of presets. Raises: KeyError."""
    known = canonical(path)
    if not param(known).is_in_preset:
        raise KeyError(path)
    return known


def _is_control(sign: str) -> bool:
    """Whether no model's name holds a character; joiners, as of emoji, may stand in one."""
    return unicodedata.category(sign) == "Cc"


def _never(_path: tuple[str, ...]) -> bool:
    return False


def _value(tree: Tree | None) -> object:
    """Return what is below a key as YAML resolves it; None where it is absent."""
    return None if tree is None else plain(tree, _never)


def _text(tree: Tree | str | None) -> str | None:
    """Return a single value as it was written, quoted or not; None for anything else."""
    if isinstance(tree, str):
        return tree
    return tree.text if isinstance(tree, Scalar) else None
