"""`fit`: from a data set and a recipe to a trained model in a run's folder."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nemod import __version__
from nemod.errors import ConfigError
from nemod.files import replacing
from nemod.formats import Model
from nemod.formats.network import Network
from trainer.data.dataset import Dataset, Reading
from trainer.learn import checkpoint, judge
from trainer.learn.checkpoint import Standing
from trainer.learn.export import as_model, write
from trainer.learn.networks import count, first_weights, network_of
from trainer.learn.recipe import Recipe, to_json
from trainer.learn.schedule import done, learning_rate
from trainer.learn.segments import Segments
from trainer.learn.step import Learner, learn, optimizer

CHECKPOINT = "checkpoint.npz"


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch came to; `None` where it was not validated."""

    epoch: int
    """From 1."""
    done: float
    """Share of the run that is over, 0 to 1."""
    train_loss: float
    learning_rate: float
    seconds: float
    """Wall time since the run began, over all sittings."""
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
    validation: judge.Score
    test: judge.Score | None
    settings: tuple[dict[str, Any], ...] = field(default_factory=tuple)
    """ESR of each recording of the test set: name, split, knobs, esr."""


OnEpoch = Callable[[Epoch], object]
"""Is told of every epoch; what it returns, if true, ends the run, and what it raises goes through
once the checkpoint is written."""


def fit(
    dataset: Dataset,
    recipe: Recipe,
    folder: Path | str,
    on_epoch: OnEpoch | None = None,
    *,
    name: str = "model",
    resume: bool = False,
    metadata: dict[str, Any] | None = None,
) -> Result:
    """Train and return the best model by validation, which is also written to the folder.

    `folder` gets config.json, history.jsonl (a line an epoch), checkpoint.npz, NAME.json (the best
    model so far whenever validation found one) and result.json. With `resume` a run that was
    killed goes on as if nothing had been. An interruption (Ctrl-C) ends the run in order.

    Raises: ConfigError for a recipe that does not fit the data, for a name that no file can have,
        and for a folder that holds another run; OSError from the disk.
    """
    if not name or "/" in name or "\0" in name:
        problem = f"the name {name!r} cannot be a file's: it is empty, or has a '/' or a NUL in it"
        raise ConfigError("name of the model", [problem])
    run = _Run(dataset, recipe, Path(folder), name, metadata or {})
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
        self.judged_on = dataset.validation or dataset.train
        self.segments = Segments(dataset.train, recipe, dataset.knobs)
        self.network: Network = network_of(recipe, len(dataset.knobs))
        weights = first_weights(self.network, recipe.seed)
        self.parameters = count(weights)
        self.learner = jax.tree.map(jnp.asarray, Learner(weights, optimizer(recipe).init(weights)))
        self.best = jax.tree.map(np.asarray, weights)
        self.standing = Standing()
        self.floor = recipe.energy_floor * judge.power(dataset.train)
        self.sitting = time.monotonic()
        self.earlier = 0.0
        # How long a run may take, and how long its parts, are no part of what it computes.
        self.identity = {
            "recipe": {k: v for k, v in to_json(recipe).items() if k not in ("patience",)},
            "data": dataset.digest,
        }

    # The folder

    @property
    def model_path(self) -> Path:
        return self.folder / f"{self.name}.json"

    def open(self, resume: bool) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        saved = self.folder / CHECKPOINT
        if resume and saved.exists():
            self.standing, numbers = checkpoint.load(saved, self.identity, self._numbers())
            self.learner, self.best = numbers
            self.learner = jax.tree.map(jnp.asarray, self.learner)
            self.earlier = self.standing.seconds
        elif saved.exists():
            raise ConfigError(
                str(self.folder), ["holds a run already; resume it, or choose another folder"]
            )
        _write_json(
            self.folder / "config.json",
            {
                "recipe": to_json(self.recipe),
                "data": {
                    "name": self.dataset.name,
                    "digest": self.dataset.digest,
                    "rate": self.dataset.rate,
                    "knobs": list(self.dataset.knobs),
                    "read": _read(self.dataset.reading),
                },
                "parameters": self.parameters,
                "trainer": f"nemod {__version__}",
                **self.metadata,
            },
        )
        self._write_history()

    def _numbers(self) -> Any:
        return jax.tree.map(np.asarray, (self.learner, self.best))

    def _write_history(self) -> None:
        lines = [json.dumps(line) + "\n" for line in self.standing.history]
        with replacing(self.folder / "history.jsonl") as draft:
            draft.write_text("".join(lines), encoding="utf-8")

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
        recipe, standing = self.recipe, self.standing
        if standing.history and not math.isfinite(standing.history[-1]["train_loss"]):
            return "diverged"
        if standing.epoch >= recipe.epochs:
            return "epochs"
        if recipe.minutes and standing.seconds >= 60.0 * recipe.minutes:
            return "minutes"
        if recipe.patience and standing.stale >= recipe.patience:
            return "patience"
        return None

    def _epoch(self, program: Any, on_epoch: OnEpoch | None) -> bool:
        recipe, standing = self.recipe, self.standing
        speed = learning_rate(
            recipe, done(recipe, standing.epoch, standing.seconds), standing.halvings
        )
        values = []
        for batch in self.segments.epoch(standing.epoch):
            self.learner, value = program(
                self.learner, batch.inputs, batch.target, np.float32(speed)
            )
            # A donated learner is only whole again when the program is over.
            values.append(float(value))
        standing.epoch += 1
        standing.seconds = self._seconds()
        over = self._over() is not None
        line: dict[str, Any] = {"epoch": standing.epoch, "train_loss": float(np.mean(values))}
        improved = False
        if over or standing.epoch % recipe.validate_every == 0:
            improved = self._validate(line)
        standing.seconds = self._seconds()
        line |= {
            "learning_rate": speed,
            "seconds": round(standing.seconds, 3),
            "done": round(min(1.0, done(recipe, standing.epoch, standing.seconds)), 6),
        }
        standing.history.append(line)
        checkpoint.save(self.folder / CHECKPOINT, self.identity, standing, self._numbers())
        with (self.folder / "history.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if improved:
            write(self._model({}), self.model_path)
        told = on_epoch(Epoch(**line)) if on_epoch else None
        return not told

    def _seconds(self) -> float:
        return self.earlier + time.monotonic() - self.sitting

    def _score(self, weights: Any, pairs: Any) -> judge.Score:
        outputs = judge.play(self.network, weights, pairs)
        return judge.score(pairs, outputs, self.floor, _share(self.recipe))

    def _validate(self, line: dict[str, Any]) -> bool:
        standing, recipe = self.standing, self.recipe
        weights = jax.tree.map(np.asarray, self.learner.weights)
        found = self._score(weights, self.judged_on)
        improved = found.loss < standing.best
        standing.stale += 1
        standing.waited += 1
        if improved:
            standing.best, standing.best_epoch = found.loss, standing.epoch
            standing.best_esr = found.esr
            standing.stale = standing.waited = 0
            self.best = weights
        elif standing.waited >= recipe.plateau_validations:
            standing.halvings += 1
            standing.waited = 0
        line |= {
            "validation_loss": found.loss,
            "validation_esr": found.esr,
            "validation_dc": found.dc,
            "best_loss": standing.best,
            "best_esr": standing.best_esr,
            "best_epoch": standing.best_epoch,
        }
        return improved

    # The end

    def _model(self, more: dict[str, Any]) -> Model:
        known = {
            "esr": _rounded(self.standing.best_esr),
            "validation_esr": _rounded(self.standing.best_esr),
            "data": self.dataset.name,
            "data_sha256": self.dataset.digest,
            "trainer": f"nemod {__version__}",
            "epochs": self.standing.epoch,
            "training_minutes": round(self.standing.seconds / 60.0, 1),
            **self.metadata,
            **more,
        }
        return as_model(self.name, self.network, self.best, self.dataset, known)

    def finish(self, stopped: str) -> Result:
        """Judge the best model on the test set and write everything."""
        validation = self._score(self.best, self.judged_on)
        test, settings = self._test()
        more = {"test_esr": _rounded(test.esr), "esr": _rounded(test.esr)} if test else {}
        model = self._model(more)
        if self.standing.best_epoch:
            write(model, self.model_path)
        result = Result(
            folder=self.folder,
            model=model,
            path=self.model_path,
            stopped=stopped,
            epochs=self.standing.epoch,
            seconds=self.standing.seconds,
            best_epoch=self.standing.best_epoch,
            validation=validation,
            test=test,
            settings=settings,
        )
        _write_json(
            self.folder / "result.json",
            {
                "stopped": stopped,
                "epochs": result.epochs,
                "seconds": round(result.seconds, 3),
                "best_epoch": result.best_epoch,
                "parameters": self.parameters,
                "model": self.model_path.name if result.best_epoch else None,
                "validation": _plain(validation),
                "test": _plain(test) if test else None,
                "settings": list(settings),
            },
        )
        return result

    def _test(self) -> tuple[judge.Score | None, tuple[dict[str, Any], ...]]:
        pairs = self.dataset.test
        if not pairs:
            return None, ()
        outputs = judge.play(self.network, self.best, pairs)
        settings = tuple(
            {
                "name": pair.name,
                "knobs": dict(zip(self.dataset.knobs, pair.knobs, strict=True)),
                "esr": _rounded(judge.esr(pair.wet, output)),
            }
            for pair, output in zip(pairs, outputs, strict=True)
        )
        return judge.score(pairs, outputs, self.floor, _share(self.recipe)), settings


def _read(reading: Reading | None) -> dict[str, Any] | None:
    """Return how the data were read, so that a report reads them so."""
    if reading is None:
        return None
    return {**asdict(reading), "path": str(reading.path.absolute())}


def _share(recipe: Recipe) -> tuple[float, float]:
    """Return the weights by which models are chosen: a loss of STFT alone has none for them."""
    if recipe.esr_weight or recipe.dc_weight:
        return recipe.esr_weight, recipe.dc_weight
    return 0.75, 0.25


def _rounded(value: float) -> float | None:
    return round(value, 7) if math.isfinite(value) else None


def _plain(score: judge.Score) -> dict[str, float | None]:
    return {key: _rounded(value) for key, value in score._asdict().items()}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    with replacing(path) as draft:
        draft.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
