"""Reads the folders of runs and sweeps."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nemod.common.errors import ConfigError
from trainer.data.dataset import Reading
from trainer.data.files import listed
from trainer.learn.evaluate import RecordingScore
from trainer.learn.recipe import Recipe, from_json
from trainer.learn.run_folder import model_name

RESUMABLE = ("", "callback", "interrupted")
"""Reasons of stopping after which a run can be resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, completed or not."""

    folder: Path
    recipe: Recipe
    data: str
    """Name of the data set."""
    digest: str
    """SHA-256 of the data set."""
    knobs: tuple[str, ...]
    parameters: int
    history: tuple[dict[str, Any], ...]
    """One entry per epoch, as in history.jsonl."""
    result: dict[str, Any] | None
    """result.json; None before the run has ended."""
    state: str
    """`complete`, `pruned` or `unfinished`."""
    reason: str
    """Reason for its end."""
    reading: Reading | None = None
    """Path of the data set and reading options; None if not stated."""
    settings: tuple[RecordingScore, ...] = field(default_factory=tuple)
    """Each recording of the test set: name, knobs, esr."""
    model: str | None = None
    """Name of its model; None if not stated."""
    label: str = ""
    """Unique name among the runs of a report; empty: the name of the folder."""

    @property
    def name(self) -> str:
        """The name of the folder, with as many parent folders as make it unique."""
        return self.label or self.folder.name

    @property
    def size(self) -> int:
        """Hidden units, or channels of a CNN."""
        return self.recipe.size

    @property
    def layers(self) -> int:
        """Layers before the dense one."""
        recipe = self.recipe
        return len(recipe.dilations) if recipe.arch == "cnn" else recipe.layers

    @property
    def loss(self) -> float:
        """The lowest validation loss; NaN before the first validation."""
        return min(_finite(line.get("best_loss") for line in self.history), default=math.nan)

    @property
    def validation_esr(self) -> float:
        """ESR on the validation set of the model with the lowest loss."""
        return next(iter(_finite([line.get("best_esr") for line in self.history[::-1]])), math.nan)

    @property
    def test_esr(self) -> float:
        """ESR on the test set; NaN without one."""
        test = (self.result or {}).get("test") or {}
        return next(iter(_finite([test.get("esr")])), math.nan)

    @property
    def test_is_silent(self) -> bool:
        """Whether there is a test set that has no ESR."""
        return bool((self.result or {}).get("test")) and math.isnan(self.test_esr)

    @property
    def minutes(self) -> float:
        """Wall time of training."""
        return float(self.history[-1]["seconds"]) / 60.0 if self.history else 0.0

    @property
    def model_path(self) -> Path | None:
        """The file of the best model, or None before one is written."""
        path = self.folder / f"{self.model}.json"
        return path if self.model is not None and path.is_file() else None


def _finite(values: Iterable[float | None]) -> list[float]:
    return [float(value) for value in values if value is not None and math.isfinite(value)]


def find_runs(paths: Sequence[Path]) -> list[Run]:
    """Return the runs of run folders and sweep folders without duplicates, in the given order.

    Raises: ConfigError with all paths that contain no run.
    """
    found: dict[Path, Run] = {}
    problems = []
    for path in paths:
        runs = list(_below(path))
        if not runs:
            what = "is not a folder" if not path.is_dir() else "contains neither a run nor a sweep"
            problems.append(f"{path} {what} (no config.json, no sweep.json)")
        for run in runs:
            found.setdefault(run.folder.resolve(), run)
    if problems:
        raise ConfigError("RUN", problems)
    return [
        replace(run, label=label)
        for run, label in zip(found.values(), _labels([*found]), strict=True)
    ]


def _labels(folders: Sequence[Path]) -> list[str]:
    """Return the shortest unique suffix of each path."""
    labels = []
    for folder in folders:
        parts = folder.parts
        count = 1
        while count < len(parts) and any(
            other != folder and other.parts[-count:] == parts[-count:] for other in folders
        ):
            count += 1
        labels.append("/".join(parts[-count:]))
    return labels


def _below(path: Path) -> Iterable[Run]:
    if (path / "config.json").is_file():
        yield _read(path, None)
        return
    sweep = path / "sweep.json"
    folder, data = path, None
    if sweep.is_file():
        folder, data = path / "trials", _json(sweep).get("data")
    if folder.is_dir():
        for each in listed(folder):
            if (each / "config.json").is_file():
                yield _read(each, Path(data) if data else None)


def _read(folder: Path, data_path: Path | None) -> Run:
    config = _json(folder / "config.json")
    ended = folder / "result.json"
    result = _json(ended) if ended.is_file() else None
    verdict = folder / "trial.json"
    trial = _json(verdict) if verdict.is_file() else {}
    stopped = str((result or {}).get("stopped", ""))
    try:
        about = config["data"]
        # Fields that a later version of the trainer added are ignored.
        known = {key: value for key, value in config["recipe"].items() if key in _FIELDS}
        return Run(
            folder=folder,
            recipe=from_json(known),
            data=about["name"],
            digest=about["digest"],
            knobs=tuple(about["knobs"]),
            parameters=int(config["parameters"]),
            history=tuple(_epochs(folder / "history.jsonl")),
            result=result,
            state=trial.get("state", "unfinished" if stopped in RESUMABLE else "complete"),
            reason=trial.get("reason", stopped),
            reading=_reading(about.get("read"), data_path),
            model=model_name(folder, config, result or {}),
            settings=tuple((result or {}).get("settings", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(str(folder), [f"config.json is not that of a run: {error!r}"]) from None


def _reading(read: dict[str, Any] | None, data_path: Path | None) -> Reading | None:
    """Return the stated reading options of a run, or else the data path of its sweep.

    Raises: KeyError, TypeError.
    """
    if read is None:
        return Reading(path=data_path) if data_path else None
    known = {key: value for key, value in read.items() if key in Reading.__dataclass_fields__}
    wet = None if read.get("wet") is None else Path(read["wet"])
    return Reading(**{**known, "path": Path(read["path"]), "wet": wet})


_FIELDS = frozenset(Recipe.__dataclass_fields__)


def _json(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(str(path), [f"cannot be read: {error}"]) from None
    if not isinstance(tree, dict):
        raise ConfigError(str(path), ["is not a JSON object"])
    return tree


def _epochs(path: Path) -> Iterable[dict[str, Any]]:
    """Return the epochs; the last line of a killed run may be incomplete and is ignored."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return
    for line in text.splitlines():
        try:
            parsed = json.loads(line)
        except ValueError:
            return
        if isinstance(parsed, dict) and "epoch" in parsed and "seconds" in parsed:
            yield parsed
