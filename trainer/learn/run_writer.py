"""`RunWriter`: reads and writes the files of a training run."""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from nemod.common.files import replacing
from nemod.common.version import __version__
from nemod.formats import Model
from trainer.data.dataset import Dataset, Reading
from trainer.learn import checkpoint, run_folder
from trainer.learn.checkpoint import RunState
from trainer.learn.evaluate import RecordingScore, Score
from trainer.learn.export import write
from trainer.learn.recipe import Recipe, to_json
from trainer.learn.segments import Unused

REMEDY = "fix that, then continue the run with --resume"
JsonObject = Mapping[str, object]
"""An object of JSON values."""
Tree = TypeVar("Tree")


class RunWriter:
    """The files of a run in its folder.

    Raises: RunError from the methods that write, if the disk fails; it names the file.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """`name` is that of the model."""
        self._folder, self._name = folder, name

    @property
    def model_path(self) -> Path:
        """The file of the best model."""
        return self._folder / f"{self._name}.json"

    def make_folder(self) -> None:
        """Create the folder and its parents."""
        run_folder.make(self._folder)

    def write_config(
        self,
        recipe: Recipe,
        dataset: Dataset,
        metadata: JsonObject,
        unused: Unused,
        parameters: int,
    ) -> None:
        """Write config.json: the settings of the run and the data set."""
        self._write_json(
            self._folder / run_folder.CONFIG,
            {
                **metadata,
                "name": self._name,
                "recipe": to_json(recipe),
                "data": {
                    "name": dataset.name,
                    "digest": dataset.digest,
                    "rate": dataset.rate,
                    "knobs": list(dataset.knobs),
                    "read": _reading_json(dataset.reading),
                    "unused": unused._asdict(),
                },
                "parameters": parameters,
                "trainer": f"nemod {__version__}",
            },
        )

    def write_history(self, history: Sequence[JsonObject]) -> None:
        """Replace history.jsonl with one line per epoch."""
        lines = [json.dumps(line) + "\n" for line in history]
        path = self._folder / run_folder.HISTORY
        with self._readable_errors(path), replacing(path) as draft:
            draft.write_text("".join(lines), encoding="utf-8")

    def append_history(self, line: JsonObject) -> None:
        """Append an epoch to history.jsonl."""
        path = self._folder / run_folder.HISTORY
        with self._readable_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def load_checkpoint(self, identity: JsonObject, like: Tree) -> tuple[RunState, Tree]:
        """Return the state of the run to resume, and its arrays in a pytree like `like`.

        Raises: ConfigError for a checkpoint that is damaged or belongs to another run.
        """
        return checkpoint.load(self._folder / run_folder.CHECKPOINT, identity, like)

    def save_checkpoint(self, identity: JsonObject, state: RunState, arrays: object) -> None:
        """Replace the checkpoint; `arrays` is a pytree of arrays."""
        path = self._folder / run_folder.CHECKPOINT
        with self._readable_errors(path):
            checkpoint.save(path, identity, state, arrays)

    def write_model(self, model: Model) -> None:
        """Replace the model file."""
        with self._readable_errors(self.model_path):
            write(model, self.model_path)

    def write_result(
        self,
        stopped: str,
        state: RunState,
        unused: Unused,
        parameters: int,
        validation: Score,
        test: Score | None,
        settings: Sequence[RecordingScore],
    ) -> None:
        """Write result.json: how the run ended, and its errors."""
        self._write_json(
            self._folder / run_folder.RESULT,
            {
                "stopped": stopped,
                "epochs": state.epoch,
                "seconds": round(state.seconds, 3),
                "best_epoch": state.best_epoch,
                "parameters": parameters,
                "unused": unused._asdict(),
                "model": self.model_path.name if state.best_epoch else None,
                "validation": _score_json(validation),
                "test": _score_json(test) if test else None,
                "settings": list(settings),
            },
        )

    def _readable_errors(self, path: Path) -> AbstractContextManager[None]:
        """Return the context that converts errors of the disk, with the remedy of this run."""
        has_checkpoint = (self._folder / run_folder.CHECKPOINT).exists()
        return run_folder.readable_errors(path, *([REMEDY] if has_checkpoint else []))

    def _write_json(self, path: Path, value: JsonObject) -> None:
        with self._readable_errors(path), replacing(path) as draft:
            draft.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _reading_json(reading: Reading | None) -> dict[str, object] | None:
    """Return the reading options of a data set, with which a report can read it again."""
    if reading is None:
        return None
    paths = {"path": reading.path, "wet": reading.wet}
    return {
        **asdict(reading),
        **{key: path and str(path.absolute()) for key, path in paths.items()},
    }


def rounded(value: float) -> float | None:
    """Return a value with 7 decimal places, or None if it is not finite: JSON has no NaN."""
    return round(value, 7) if math.isfinite(value) else None


def _score_json(score: Score) -> dict[str, float | None]:
    return {key: rounded(value) for key, value in score._asdict().items()}
