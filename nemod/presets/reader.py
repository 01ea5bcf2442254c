"""Reads a preset's file leniently.

A wrong value takes its default and what this version does not know is kept; both are logged. Only
what is not plain YAML, without aliases and tags, and with keys at its top, cannot be read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from nemod.chain import DEFAULT_CHAIN, Chain, is_text, read_leniently
from nemod.common.errors import ConfigError
from nemod.common.kept_files import DamagedFileError, Skipped, short
from nemod.common.yaml_reader import Scalar, Tree, parse_yaml, plain
from nemod.common.yaml_writer import is_writable
from nemod.parameters.kept import read_positions
from nemod.parameters.parameter_set import ParameterSet, is_in_preset
from nemod.presets.preset import (
    CHAIN_KEY,
    MAX_BYTES,
    MAX_SNAPSHOTS,
    Preset,
    name_problem,
)
from nemod.presets.writer import VERSION

MAX_LOGGED = 5
"""Most skipped values of one file that are logged one by one."""
_KEYS = ("version", "name", CHAIN_KEY, "positions", "snapshots")


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
        raise DamagedFileError("keys (name, chain, positions, ...) are expected")
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
        self._parameters = ParameterSet()

    def read(self, name: str) -> Preset:
        """Return the preset; `name` is its name where the file has no valid one."""
        self._check_version()
        chain = self._chain()
        self._parameters = ParameterSet(chain)
        positions, unknown_positions = self._positions("positions", self._tree.get("positions"))
        snapshots, unknown_snapshots = self._snapshots()
        return Preset(
            name=self._name(name),
            chain=chain,
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

    def _chain(self) -> Chain:
        tree = self._tree.get(CHAIN_KEY)
        if tree is None or _value(tree) is None:
            return DEFAULT_CHAIN
        chain, problems = read_leniently(plain(tree, is_text))
        for problem in problems:
            self.skipped.add(CHAIN_KEY, problem)
        return chain

    def _positions(self, key: str, tree: Any) -> tuple[dict[str, float], dict[str, object]]:
        """Return the positions of known parameters by canonical path, and everything else."""
        mapping = self._mapping(key, tree)
        values = {path: _value(below) for path, below in mapping.items()}
        found, paths = read_positions(values, self._canonical, self.skipped, key)
        unknown: dict[str, object] = {
            path: mapping[path]
            for path in paths
            if self._is_kept(f"{key}.{path}", "no parameter of a preset", mapping[path], path)
        }
        return found, unknown

    def _canonical(self, path: str) -> str:
        """Return the canonical path of a parameter of presets. Raises: KeyError."""
        known = self._parameters.key(path)
        if not is_in_preset(known):
            raise KeyError(path)
        return known

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
