"""`fit`: from a data set and a recipe to a trained model in a run's folder."""

import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nemod.common.files import replacing
from nemod.common.version import __version__
from nemod.formats import Model
from nemod.formats.network import Network
from trainer.data.dataset import Dataset, Reading
from trainer.learn import checkpoint, evaluate, run_folder
from trainer.learn.checkpoint import RunState
from trainer.learn.export import as_model, write
from trainer.learn.networks import count, first_weights, network_of
from trainer.learn.recipe import Recipe, to_json
from trainer.learn.schedule import done, learning_rate
from trainer.learn.segments import Segments
from trainer.learn.step import Learner, learn, optimizer

REMEDY = "fix that, then continue the run with --resume"


@dataclass(frozen=True, slots=True)
class Epoch:
    """Results of an epoch; `None` without a validation."""

    epoch: int
    """From 1."""
    done: float
    """Completed share of the run, 0 to 1."""
    train_loss: float
    learning_rate: float
    seconds: float
    """Wall time of the run, over all sessions."""
    validation_loss: float | None = None
    validation_esr: float | None = None
    validation_dc: float | None = None
    best_loss: float | None = None
    best_esr: float | None = None
    best_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run."""

    folder: Path
    model: Model
    path: Path
    """The model's file; there is none where `best_epoch` is 0."""
    stopped: str
    """Why: `epochs`, `minutes`, `patience`, `callback`, `interrupted` or `diverged`."""
    epochs: int
    seconds: float
    best_epoch: int
    """From 1; 0: no validation found a model, the weights are the first ones."""
    validation: evaluate.Score
    test: evaluate.Score | None
    settings: tuple[dict[str, Any], ...] = field(default_factory=tuple)
    """Each recording of the test set: name, knobs, and ESR, or None where the target is silent."""


OnEpoch = Callable[[Epoch], object]
"""Called after every epoch. A true result ends the run; an exception is raised again after the
checkpoint is written."""


def fit(
    dataset: Dataset,
    recipe: Recipe,
    folder: Path | str,
    on_epoch: OnEpoch | None = None,
    *,
    name: str | None = None,
    resume: bool = False,
    metadata: dict[str, Any] | None = None,
    report: Callable[[str], object] = lambda _: None,
) -> Result:
    """Train and return the best model by validation, which is also written to the folder.

    `folder` gets config.json, history.jsonl (a line per epoch), checkpoint.npz, NAME.json (the best
    model so far) and result.json. `resume` continues an interrupted run; its author, licence,
    description and name are kept unless given. The default name is `model`. `report` is called
    with a message about unused training data. Ctrl-C ends the run cleanly.

    Raises: ConfigError for a recipe that does not fit the data, for silent data, for an invalid
        name, and for a folder with another run, without a run to resume, or in use by another
        process; RunError if the disk cannot be written.
    """
    folder = Path(folder)
    evaluate.refuse_silence(dataset)
    with run_folder.claimed(folder):
        run_folder.check(folder, resume=resume)
        if resume:
            before = run_folder.before(folder)
            name = before.name if name is None else name
            metadata = {**before.metadata, **(metadata or {})}
        name = "model" if name is None else name
        run_folder.check_name(name)
        run = _Run(dataset, recipe, folder, name, metadata or {})
        if unused := run.unused_message():
            report(unused)
        run.open(resume)
        return run.finish(run.train(on_epoch))


class _Run:
    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        folder: Path,
        name: str,
        metadata: dict[str, Any],
    ) -> None:
        self.dataset, self.recipe, self.folder, self.name = dataset, recipe, folder, name
        self.metadata = metadata
        self.validated_on = dataset.validation or dataset.train
        self.silent = evaluate.silence(dataset)
        self.segments = Segments(dataset.train, recipe, dataset.knobs)
        self.unused = self.segments.unused(dataset.rate)
        self.network: Network = network_of(recipe, len(dataset.knobs))
        weights = first_weights(self.network, recipe.seed)
        self.parameters = count(weights)
        self.learner = jax.tree.map(jnp.asarray, Learner(weights, optimizer(recipe).init(weights)))
        self.best = jax.tree.map(np.asarray, weights)
        self.state = RunState()
        self.floor = recipe.energy_floor * evaluate.power(dataset.train)
        self.sitting = time.monotonic()
        self.earlier = 0.0
        # The patience changes when a run ends, not what it computes.
        self.identity = {
            "recipe": {k: v for k, v in to_json(recipe).items() if k not in ("patience",)},
            "data": dataset.digest,
        }

    # The folder

    @property
    def model_path(self) -> Path:
        return self.folder / f"{self.name}.json"

    def unused_message(self) -> str:
        short, silent, seconds = self.unused
        why = []
        if short:
            why.append(f"{short} shorter than a segment ({self.segments.frames} frames)")
        if silent:
            why.append(f"{silent} with {self.recipe.level_knob!r} at 0")
        pairs, whole = short + silent, len(self.dataset.train)
        told = f"{pairs} of {whole} training recordings ({seconds:.1f} s) are not used: "
        return told + ", ".join(why) if why else ""

    def open(self, resume: bool) -> None:
        run_folder.make(self.folder)
        if resume:
            saved = self.folder / run_folder.CHECKPOINT
            self.state, numbers = checkpoint.load(saved, self.identity, self._numbers())
            self.learner, self.best = numbers
            self.learner = jax.tree.map(jnp.asarray, self.learner)
            self.earlier = self.state.seconds
        self._write_json(
            self.folder / run_folder.CONFIG,
            {
                **self.metadata,
                "name": self.name,
                "recipe": to_json(self.recipe),
                "data": {
                    "name": self.dataset.name,
                    "digest": self.dataset.digest,
                    "rate": self.dataset.rate,
                    "knobs": list(self.dataset.knobs),
                    "read": _read(self.dataset.reading),
                    "unused": self.unused._asdict(),
                },
                "parameters": self.parameters,
                "trainer": f"nemod {__version__}",
            },
        )
        self._write_history()

    def _numbers(self) -> Any:
        return jax.tree.map(np.asarray, (self.learner, self.best))

    def _write_history(self) -> None:
        lines = [json.dumps(line) + "\n" for line in self.state.history]
        path = self.folder / run_folder.HISTORY
        with self._readable_errors(path), replacing(path) as draft:
            draft.write_text("".join(lines), encoding="utf-8")

    def _readable_errors(self, path: Path) -> AbstractContextManager[None]:
        """Return the context that converts errors of the disk, with the remedy of this run."""
        has_checkpoint = (self.folder / run_folder.CHECKPOINT).exists()
        return run_folder.readable_errors(path, *([REMEDY] if has_checkpoint else []))

    def _write_json(self, path: Path, value: dict[str, Any]) -> None:
        with self._readable_errors(path), replacing(path) as draft:
            draft.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")

    # The work

    def train(self, on_epoch: OnEpoch | None) -> str:
        try:
            program = learn(self.network, self.recipe, self.dataset.rate, self.floor)
            while True:
                if reason := self._over():
                    return reason
                if not self._epoch(program, on_epoch):
                    return "callback"
        except KeyboardInterrupt:
            return "interrupted"

    def _over(self) -> str | None:
        recipe, state = self.recipe, self.state
        if state.history and not math.isfinite(state.history[-1]["train_loss"]):
            return "diverged"
        if done(recipe, state.epoch, state.seconds) >= 1.0:
            return "minutes" if recipe.minutes else "epochs"
        if recipe.patience and state.stale >= recipe.patience:
            return "patience"
        return None

    def _epoch(self, program: Any, on_epoch: OnEpoch | None) -> bool:
        recipe, state = self.recipe, self.state
        speed = learning_rate(recipe, done(recipe, state.epoch, state.seconds), state.halvings)
        values = []
        for batch in self.segments.epoch(state.epoch):
            self.learner, value = program(
                self.learner, batch.inputs, batch.target, np.float32(speed)
            )
            # Waits for the program: the learner's buffers are donated to it.
            values.append(float(value))
        state.epoch += 1
        state.seconds = self._seconds()
        over = self._over() is not None
        line: dict[str, Any] = {"epoch": state.epoch, "train_loss": float(np.mean(values))}
        improved = False
        if over or state.epoch % recipe.validate_every == 0:
            improved = self._validate(line)
        state.seconds = self._seconds()
        line |= {
            "learning_rate": speed,
            "seconds": round(state.seconds, 3),
            "done": round(min(1.0, done(recipe, state.epoch, state.seconds)), 6),
        }
        state.history.append(line)
        self._keep(line, improved)
        told = on_epoch(Epoch(**line)) if on_epoch else None
        return not told

    def _keep(self, line: dict[str, Any], improved: bool) -> None:
        saved, history = self.folder / run_folder.CHECKPOINT, self.folder / run_folder.HISTORY
        with self._readable_errors(saved):
            checkpoint.save(saved, self.identity, self.state, self._numbers())
        with self._readable_errors(history), history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if improved:
            self._write_model(self._model({}))

    def _write_model(self, model: Model) -> None:
        with self._readable_errors(self.model_path):
            write(model, self.model_path)

    def _seconds(self) -> float:
        return self.earlier + time.monotonic() - self.sitting

    def _score(self, weights: Any, pairs: Any) -> evaluate.Score:
        outputs = evaluate.play(self.network, weights, pairs)
        return evaluate.score(pairs, outputs, self.floor, self.recipe.chosen_by, self.silent)

    def _validate(self, line: dict[str, Any]) -> bool:
        state, recipe = self.state, self.recipe
        weights = jax.tree.map(np.asarray, self.learner.weights)
        found = self._score(weights, self.validated_on)
        improved = found.loss < state.best
        state.stale += 1
        state.waited += 1
        if improved:
            state.best, state.best_epoch = found.loss, state.epoch
            state.best_esr = found.esr
            state.stale = state.waited = 0
            self.best = weights
        elif state.waited >= recipe.plateau_validations:
            state.halvings += 1
            state.waited = 0
        line |= {
            "validation_loss": found.loss,
            "validation_esr": found.esr,
            "validation_dc": found.dc,
            "best_loss": state.best,
            "best_esr": state.best_esr,
            "best_epoch": state.best_epoch,
        }
        return improved

    # The end

    def _model(self, more: dict[str, Any]) -> Model:
        known = {
            "esr": _rounded(self.state.best_esr),
            "validation_esr": _rounded(self.state.best_esr),
            "data": self.dataset.name,
            "data_sha256": self.dataset.digest,
            "trainer": f"nemod {__version__}",
            "epochs": self.state.epoch,
            "training_minutes": round(self.state.seconds / 60.0, 1),
            **self.metadata,
            **more,
        }
        return as_model(self.name, self.network, self.best, self.dataset, known)

    def finish(self, stopped: str) -> Result:
        """Evaluate the best model on the test set and write all files."""
        validation = self._score(self.best, self.validated_on)
        test, settings = self._test()
        esr = _rounded(test.esr) if test else None
        more = {} if esr is None else {"test_esr": esr, "esr": esr}
        model = self._model(more)
        if self.state.best_epoch:
            self._write_model(model)
        result = Result(
            folder=self.folder,
            model=model,
            path=self.model_path,
            stopped=stopped,
            epochs=self.state.epoch,
            seconds=self.state.seconds,
            best_epoch=self.state.best_epoch,
            validation=validation,
            test=test,
            settings=settings,
        )
        self._write_json(
            self.folder / run_folder.RESULT,
            {
                "stopped": stopped,
                "epochs": result.epochs,
                "seconds": round(result.seconds, 3),
                "best_epoch": result.best_epoch,
                "parameters": self.parameters,
                "unused": self.unused._asdict(),
                "model": self.model_path.name if result.best_epoch else None,
                "validation": _plain(validation),
                "test": _plain(test) if test else None,
                "settings": list(settings),
            },
        )
        return result

    def _test(self) -> tuple[evaluate.Score | None, tuple[dict[str, Any], ...]]:
        pairs = self.dataset.test
        if not pairs:
            return None, ()
        outputs = evaluate.play(self.network, self.best, pairs)
        settings = tuple(
            {
                "name": pair.name,
                "knobs": dict(zip(self.dataset.knobs, pair.knobs, strict=True)),
                "esr": _rounded(evaluate.esr(pair.wet, output, self.silent)),
            }
            for pair, output in zip(pairs, outputs, strict=True)
        )
        found = evaluate.score(pairs, outputs, self.floor, self.recipe.chosen_by, self.silent)
        return found, settings


def _read(reading: Reading | None) -> dict[str, Any] | None:
    """Return how the data were read, so that a report can read them again."""
    if reading is None:
        return None
    paths = {"path": reading.path, "wet": reading.wet}
    return {
        **asdict(reading),
        **{key: path and str(path.absolute()) for key, path in paths.items()},
    }


def _rounded(value: float) -> float | None:
    return round(value, 7) if math.isfinite(value) else None


def _plain(score: evaluate.Score) -> dict[str, float | None]:
    return {key: _rounded(value) for key, value in score._asdict().items()}
