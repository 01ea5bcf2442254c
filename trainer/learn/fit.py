"""`fit`: trains a model on a data set and writes it to a run's folder."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nemod.common.version import __version__
from nemod.formats import Model
from nemod.formats.network import Network
from nemod.formats.readers.document import Json
from nemod.formats.weights import Weights
from trainer.data.dataset import Dataset, Pair
from trainer.learn import evaluate, run_folder
from trainer.learn.checkpoint import RunState
from trainer.learn.export import as_model
from trainer.learn.networks import count, initial_weights, network_of
from trainer.learn.recipe import Recipe, to_json
from trainer.learn.run_writer import RunWriter, rounded
from trainer.learn.schedule import done, learning_rate
from trainer.learn.segments import Segments
from trainer.learn.step import Learn, Learner, learn, optimizer


@dataclass(frozen=True, slots=True)
class Epoch:
    """Results of an epoch; fields of the validation are None in an epoch without one."""

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
    """Results of a run that has ended."""

    folder: Path
    model: Model
    path: Path
    """The model file; it does not exist if `best_epoch` is 0."""
    stopped: str
    """Reason: `epochs`, `minutes`, `patience`, `callback`, `interrupted` or `diverged`."""
    epochs: int
    seconds: float
    best_epoch: int
    """From 1; 0: no validation improved, and the weights are the initial ones."""
    validation: evaluate.Score
    test: evaluate.Score | None
    settings: tuple[evaluate.RecordingScore, ...] = field(default_factory=tuple)
    """Each recording of the test set: name, knobs, and ESR, None for a silent target."""


OnEpoch = Callable[[Epoch], object]
"""Called after every epoch. A true result ends the run; an exception is passed on, after the
checkpoint was written."""


def fit(
    dataset: Dataset,
    recipe: Recipe,
    folder: Path | str,
    on_epoch: OnEpoch | None = None,
    *,
    name: str | None = None,
    resume: bool = False,
    metadata: Mapping[str, Json] | None = None,
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
        run.start(resume)
        return run.finish(run.train(on_epoch))


class _Run:
    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        folder: Path,
        name: str,
        metadata: Mapping[str, Json],
    ) -> None:
        self.dataset, self.recipe, self.folder, self.name = dataset, recipe, folder, name
        self.metadata = metadata
        self.writer = RunWriter(folder, name)
        self.validation_pairs = dataset.validation or dataset.train
        self.silent = evaluate.silence(dataset)
        self.segments = Segments(dataset.train, recipe, dataset.knobs)
        self.unused = self.segments.unused(dataset.rate)
        self.network: Network = network_of(recipe, len(dataset.knobs))
        weights = initial_weights(self.network, recipe.seed)
        self.parameters = count(weights)
        self.learner = jax.tree.map(jnp.asarray, Learner(weights, optimizer(recipe).init(weights)))
        self.best: Weights = jax.tree.map(np.asarray, weights)
        self.state = RunState()
        self.floor = recipe.energy_floor * evaluate.power(dataset.train)
        self.session_start_s = time.monotonic()
        self.earlier_sessions_s = 0.0
        # The patience changes when a run ends, not what it computes.
        self.identity = {
            "recipe": {k: v for k, v in to_json(recipe).items() if k not in ("patience",)},
            "data": dataset.digest,
        }

    def unused_message(self) -> str:
        short, silent, seconds = self.unused
        reasons = []
        if short:
            reasons.append(f"{short} shorter than a segment ({self.segments.frames} frames)")
        if silent:
            reasons.append(f"{silent} with {self.recipe.level_knob!r} at 0")
        pairs, total = short + silent, len(self.dataset.train)
        message = f"{pairs} of {total} training recordings ({seconds:.1f} s) are not used: "
        return message + ", ".join(reasons) if reasons else ""

    def start(self, resume: bool) -> None:
        """Write the configuration, or load the checkpoint of the run to resume."""
        self.writer.make_folder()
        if resume:
            self.state, arrays = self.writer.load_checkpoint(self.identity, self._arrays())
            self.learner, self.best = arrays
            self.learner = jax.tree.map(jnp.asarray, self.learner)
            self.earlier_sessions_s = self.state.seconds
        self.writer.write_config(
            self.recipe, self.dataset, self.metadata, self.unused, self.parameters
        )
        self.writer.write_history(self.state.history)

    def _arrays(self) -> tuple[Learner, Weights]:
        arrays: tuple[Learner, Weights] = jax.tree.map(np.asarray, (self.learner, self.best))
        return arrays

    # Training

    def train(self, on_epoch: OnEpoch | None) -> str:
        """Train until a limit is reached; return the reason of stopping."""
        try:
            program = learn(self.network, self.recipe, self.dataset.rate, self.floor)
            while True:
                if reason := self._stop_reason():
                    return reason
                if not self._epoch(program, on_epoch):
                    return "callback"
        except KeyboardInterrupt:
            return "interrupted"

    def _stop_reason(self) -> str | None:
        recipe, state = self.recipe, self.state
        if state.history and not math.isfinite(state.history[-1]["train_loss"]):
            return "diverged"
        if done(recipe, state.epoch, state.seconds) >= 1.0:
            return "minutes" if recipe.minutes else "epochs"
        if recipe.patience and state.stale >= recipe.patience:
            return "patience"
        return None

    def _epoch(self, program: Learn, on_epoch: OnEpoch | None) -> bool:
        """Train an epoch and save the checkpoint; return whether to continue."""
        recipe, state = self.recipe, self.state
        rate = learning_rate(recipe, done(recipe, state.epoch, state.seconds), state.halvings)
        losses = []
        for batch in self.segments.epoch(state.epoch):
            self.learner, loss = program(self.learner, batch.inputs, batch.target, np.float32(rate))
            # Waits for the program: the buffers of the learner are donated to it.
            losses.append(float(loss))
        state.epoch += 1
        state.seconds = self._seconds()
        is_last = self._stop_reason() is not None
        line: dict[str, Any] = {"epoch": state.epoch, "train_loss": float(np.mean(losses))}
        improved = False
        if is_last or state.epoch % recipe.validate_every == 0:
            improved = self._validate(line)
        state.seconds = self._seconds()
        line |= {
            "learning_rate": rate,
            "seconds": round(state.seconds, 3),
            "done": round(min(1.0, done(recipe, state.epoch, state.seconds)), 6),
        }
        state.history.append(line)
        self.writer.save_checkpoint(self.identity, state, self._arrays())
        self.writer.append_history(line)
        if improved:
            self.writer.write_model(self._model({}))
        stop_requested = on_epoch(Epoch(**line)) if on_epoch else None
        return not stop_requested

    def _seconds(self) -> float:
        return self.earlier_sessions_s + time.monotonic() - self.session_start_s

    def _score(self, weights: Weights, pairs: tuple[Pair, ...]) -> evaluate.Score:
        outputs = evaluate.play(self.network, weights, pairs)
        return evaluate.score(pairs, outputs, self.floor, self.recipe.chosen_by, self.silent)

    def _validate(self, line: dict[str, Any]) -> bool:
        """Add the validation to the history line; return whether the model is the best so far."""
        state, recipe = self.state, self.recipe
        weights: Weights = jax.tree.map(np.asarray, self.learner.weights)
        score = self._score(weights, self.validation_pairs)
        improved = score.loss < state.best
        state.stale += 1
        state.waited += 1
        if improved:
            state.best, state.best_epoch = score.loss, state.epoch
            state.best_esr = score.esr
            state.stale = state.waited = 0
            self.best = weights
        elif state.waited >= recipe.plateau_validations:
            state.halvings += 1
            state.waited = 0
        line |= {
            "validation_loss": score.loss,
            "validation_esr": score.esr,
            "validation_dc": score.dc,
            "best_loss": state.best,
            "best_esr": state.best_esr,
            "best_epoch": state.best_epoch,
        }
        return improved

    # Results

    def _model(self, more: Mapping[str, Json]) -> Model:
        metadata: dict[str, Json] = {
            "esr": rounded(self.state.best_esr),
            "validation_esr": rounded(self.state.best_esr),
            "data": self.dataset.name,
            "data_sha256": self.dataset.digest,
            "trainer": f"nemod {__version__}",
            "epochs": self.state.epoch,
            "training_minutes": round(self.state.seconds / 60.0, 1),
            **self.metadata,
            **more,
        }
        return as_model(self.name, self.network, self.best, self.dataset, metadata)

    def finish(self, stopped: str) -> Result:
        """Evaluate the best model on the test set, and write the model and result.json."""
        validation = self._score(self.best, self.validation_pairs)
        test, settings = self._test()
        esr = rounded(test.esr) if test else None
        more = {} if esr is None else {"test_esr": esr, "esr": esr}
        model = self._model(more)
        if self.state.best_epoch:
            self.writer.write_model(model)
        self.writer.write_result(
            stopped, self.state, self.unused, self.parameters, validation, test, settings
        )
        return Result(
            folder=self.folder,
            model=model,
            path=self.writer.model_path,
            stopped=stopped,
            epochs=self.state.epoch,
            seconds=self.state.seconds,
            best_epoch=self.state.best_epoch,
            validation=validation,
            test=test,
            settings=settings,
        )

    def _test(self) -> tuple[evaluate.Score | None, tuple[evaluate.RecordingScore, ...]]:
        pairs = self.dataset.test
        if not pairs:
            return None, ()
        outputs = evaluate.play(self.network, self.best, pairs)
        settings = tuple(
            evaluate.RecordingScore(
                name=pair.name,
                knobs=dict(zip(self.dataset.knobs, pair.knobs, strict=True)),
                esr=rounded(evaluate.esr(pair.wet, output, self.silent)),
            )
            for pair, output in zip(pairs, outputs, strict=True)
        )
        score = evaluate.score(pairs, outputs, self.floor, self.recipe.chosen_by, self.silent)
        return score, settings
