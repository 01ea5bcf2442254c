"""`write_report`: writes a page with tables and figures of runs."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.figure import Figure

from nemod.common.errors import ModelError
from trainer.data.dataset import Dataset, Reading
from trainer.data.faults import DataError
from trainer.learn.run_folder import as_name, make, readable_errors
from trainer.study import page, pictures
from trainer.study.predictions import prediction, settings, test_settings
from trainer.study.runs import Run
from trainer.study.tables import (
    NAMES,
    all_runs,
    best_by_architecture,
    esr_on_test,
    losses,
    number,
    table_1,
)

MOST_PREDICTIONS = 4
"""Most models whose predictions are drawn."""

Load = Callable[[Reading, tuple[str, ...]], Dataset]
"""(path and reading options, knobs in the order of the model's inputs) -> data set"""
Step = Callable[[str], object]
"""Called with the caption of each figure before it is drawn."""


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """The files of a report."""

    page: Path
    pictures: tuple[Path, ...]
    notes: tuple[str, ...]
    """Figures that could not be drawn, with the reason."""


class _Writer:
    def __init__(self, folder: Path, step: Step) -> None:
        self.folder, self.step = folder, step
        self.parts: list[str] = []
        self.files: list[Path] = []
        self.notes: list[str] = []

    def draw(self, name: str, figure: Figure, caption: str) -> None:
        self.step(caption)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        stem = as_name(name)
        path, count = self.folder / f"{stem}.png", 1
        while path in self.files:
            count += 1
            path = self.folder / f"{stem}-{count}.png"
        with readable_errors(path):
            path.write_bytes(buffer.getvalue())
        self.files.append(path)
        self.parts.append(page.picture(buffer.getvalue(), caption))

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.parts.append(page.note(text))


def write_report(
    runs: Sequence[Run],
    folder: Path,
    load: Load,
    *,
    data: Path | None = None,
    step: Step = lambda _: None,
) -> WrittenReport:
    """Write `index.html` and its figures as PNG files into `folder`.

    Predictions and knob maps need the data set, from `data` or from the path that the run states.
    Without it they are omitted, and a note is added. `step` is called before each figure.

    Raises: RunError if the folder cannot be written.
    """
    make(folder)
    writer = _Writer(folder, step)
    best = min(
        (run for run in runs if math.isfinite(run.loss)), key=lambda run: run.loss, default=None
    )
    title = f"nemod-train: {', '.join(dict.fromkeys(run.data for run in runs))}"
    if best is None:
        writer.note("No run has a validation loss yet, so no figures are drawn.")
    else:
        _summary(writer, runs, best)
        for run in _runs_to_draw(runs):
            _prediction(writer, run, data, load)
        without = [run.name for run in runs if math.isfinite(run.loss) and run.model_path is None]
        if without:
            writer.note(
                f"The model file of {_listed(without)} was not found, so its predictions are "
                "not drawn."
            )
    writer.parts += [page.heading("All runs"), page.table(all_runs(runs))]
    path = folder / "index.html"
    with readable_errors(path):
        path.write_text(page.page(title, writer.parts), encoding="utf-8")
    return WrittenReport(path, tuple(writer.files), tuple(writer.notes))


def _summary(writer: _Writer, runs: Sequence[Run], best: Run) -> None:
    pruned = sum(run.state == "pruned" for run in runs)
    minutes = sum(run.minutes for run in runs)
    counted = f"{len(runs)} runs" if len(runs) > 1 else "One run"
    ended = f", {pruned} of them stopped early" if pruned else ""
    weighted = losses(runs)
    kind = next(iter(weighted)) if len(weighted) == 1 else "ESR and DC with the weights of each run"
    writer.parts.append(
        page.note(
            f"{counted}{ended}, {minutes:.0f} minutes. Loss is {kind} on the "
            f"validation set, without pre-emphasis. The best is {best.name} with "
            f"{number(best.loss)}."
        )
    )
    writer.parts += [
        page.heading("Table 1: best validation loss of each architecture"),
        page.table(table_1(runs)),
    ]
    if len(weighted) > 1:
        whose = "; ".join(f"{kind}: {_listed(names)}" for kind, names in weighted.items())
        writer.note(f"The losses have different weights and cannot be compared: {whose}.")
    writer.parts += [
        page.note(
            "Lr: learning rate, Bs: batch size, Hs: hidden size (CNN: channels), Ly: layers. The "
            "paper's values are for other recordings: only their order can be compared."
        ),
        page.heading("Loss"),
    ]
    validated = [run for run in runs if math.isfinite(run.loss)]
    writer.draw("loss", pictures.loss_curves(validated), "loss over wall time")
    if len(validated) > 1:
        writer.parts.append(page.heading("Hidden size and batch size"))
        writer.draw("figure-4", pictures.loss_by(validated, "hidden"), "loss by hidden size")
        writer.draw("figure-5", pictures.loss_by(validated, "batch"), "loss by batch size")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_PREDICTIONS} more" if len(names) > MOST_PREDICTIONS else ""
    return ", ".join(names[:MOST_PREDICTIONS]) + more


def _runs_to_draw(runs: Sequence[Run]) -> list[Run]:
    """Return the runs to draw separately: all if few, else the best of each architecture."""
    with_model = [run for run in runs if math.isfinite(run.loss) and run.model_path]
    if len(with_model) <= MOST_PREDICTIONS:
        return sorted(with_model, key=lambda run: run.loss)
    return sorted(best_by_architecture(with_model).values(), key=lambda run: run.loss)


def _prediction(writer: _Writer, run: Run, data: Path | None, load: Load) -> None:
    kind = f"{NAMES[run.recipe.arch]} {run.size}"
    writer.parts.append(page.heading(f"{run.name}: {kind}, test ESR {esr_on_test(run)}"))
    how = run.reading if data is None else _elsewhere(run.reading, data)
    dataset = None
    if how is None:
        writer.note("Target and prediction need the data set: specify it with --data.")
    else:
        try:
            dataset = load(how, run.knobs)
        except DataError as error:
            remedy = "" if data else " If the data were moved, specify them with --data."
            writer.note(f"Target and prediction cannot be drawn: {error}{remedy}")
    where = how.path if how else None
    if dataset is not None and dataset.knobs != run.knobs:
        names = [", ".join(knobs) or "none" for knobs in (dataset.knobs, run.knobs)]
        writer.note(
            f"{where} has the knobs {names[0]}, but {run.name} has {names[1]}: it is not used."
        )
        dataset = None
    if dataset is not None and dataset.digest != run.digest:
        writer.note(
            f"{where} is not the data set that {run.name} was trained on, or it has changed."
        )
    try:
        if dataset is not None:
            _draw_prediction(writer, run, dataset)
        if run.knobs:
            found = settings(run, dataset) if dataset is not None else test_settings(run)
            if found:
                figure = pictures.knob_map(run.knobs, found)
                writer.draw(f"{run.name}-knobs", figure, f"{run.name}: ESR by knob setting")
    except ModelError as error:
        writer.note(str(error))


def _elsewhere(how: Reading | None, path: Path) -> Reading:
    return replace(how, path=path, wet=None) if how else Reading(path=path)


def _draw_prediction(writer: _Writer, run: Run, dataset: Dataset) -> None:
    one = prediction(run, dataset)
    if one is None:
        return
    which = "test recording" if one.held_out else "recording"
    ratio = "silent" if math.isnan(one.esr) else f"ESR {number(one.esr)}"
    writer.parts.append(page.note(f"The {which} {one.pair.name}: {ratio}."))
    for name, draw, caption in (
        ("waveform", pictures.waveforms, "target and prediction"),
        ("spectrogram", pictures.spectrograms, "spectrograms of target, prediction and error"),
        ("transfer", pictures.transfer, "output over input"),
    ):
        writer.draw(f"{run.name}-{name}", draw(one), f"{run.name}: {caption}")
