"""Draws the figures of a report, in portrait format for phones."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from trainer.study.predictions import Prediction, SettingResult, windows
from trainer.study.runs import Run
from trainer.study.tables import NAMES, PAPER
from trainer.study.tables import losses as losses_of

WIDTH = 6.2
"""[inches]"""
COLOURS = {"gru": "#1f77b4", "lstm": "#d95f02", "cnn": "#2a9d5c"}
TARGET, OUTPUT = "#444444", "#d95f02"
FEW = 4
"""Largest number of runs with a colour and a curve of the training loss each."""
ZOOM_S = 0.012
SPECTRUM_S = 4.0
RANGE_DB = 90.0
DOTS = 8000


def _figure(height: float) -> Figure:
    return Figure(figsize=(WIDTH, height), layout="constrained", dpi=150)


def loss_curves(runs: Sequence[Run]) -> Figure:
    """Return the validation loss over wall time; with few runs, the training loss too."""
    figure = _figure(4.2)
    axes = figure.subplots()
    few = len(runs) <= FEW
    for place, run in enumerate(runs):
        lines = [line for line in run.history if line.get("validation_loss") is not None]
        minutes = [line["seconds"] / 60.0 for line in lines]
        arch = run.recipe.arch
        colour = f"C{place}" if few else COLOURS[arch]
        style = "-" if few or run.state == "complete" else ":"
        if len(lines) == 1:
            style = "o"
        losses = [line["validation_loss"] for line in lines]
        label = run.name if few else None
        axes.plot(minutes, losses, style, color=colour, label=label, lw=1.3, ms=3)
        if few:
            every = [line["seconds"] / 60.0 for line in run.history]
            axes.plot(
                every, [line["train_loss"] for line in run.history], "--", color=colour, lw=0.8,
                label="training loss" if place == 0 else None,
            )  # fmt: skip
    weighted = list(losses_of(runs))
    kind = weighted[0] if len(weighted) == 1 else "with the weights of each run"
    axes.set(yscale="log", xlabel="minutes", ylabel=f"validation loss, {kind}")
    axes.grid(alpha=0.3, which="both")
    if not few:
        for arch in dict.fromkeys(run.recipe.arch for run in runs):
            axes.plot([], [], color=COLOURS[arch], label=NAMES[arch])
    axes.legend(fontsize=9)
    axes.set_title("loss" if few else "loss of each trial (dotted: stopped early)")
    return figure


def waveforms(shown: Prediction) -> Figure:
    """Return target and prediction where the target is loudest and the error is largest."""
    figure = _figure(5.6)
    panels = figure.subplots(2, 1)
    names = ("loudest part", "largest error")
    for axes, part, name in zip(panels, windows(shown, ZOOM_S), names, strict=True):
        at_ms = np.arange(part.start, part.stop) / shown.rate * 1e3
        axes.plot(at_ms, shown.pair.wet[part], color=TARGET, lw=2.2, label="target")
        axes.plot(at_ms, shown.output[part], color=OUTPUT, lw=1.2, label="prediction")
        axes.plot(
            at_ms,
            shown.output[part] - shown.pair.wet[part],
            color="#1f77b4",
            lw=0.8,
            label="error",
        )
        axes.set(xlabel="ms", title=name)
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize=9, ncols=3)
    return figure


def spectrograms(shown: Prediction) -> Figure:
    """Return spectrograms of target, prediction and error on one scale."""
    loudest, _ = windows(shown, SPECTRUM_S)
    size = min(2048, 1 << int(math.log2(max(16, loudest.stop - loudest.start))))
    figure = _figure(7.0)
    panels = figure.subplots(3, 1, sharex=True, sharey=True)
    wet, output = shown.pair.wet[loudest], shown.output[loudest]
    top: float | None = None
    image: AxesImage | None = None
    for axes, sound, name in zip(
        panels, (wet, output, output - wet), ("target", "prediction", "error"), strict=True
    ):
        levels, low, high = _spectrogram(sound.astype(np.float64), size, shown.rate)
        top = float(levels.max()) if top is None else top
        image = axes.imshow(
            levels, origin="lower", aspect="auto", extent=(0.0, high, 0.0, low / 1e3),
            vmin=top - RANGE_DB, vmax=top, cmap="magma",
        )  # fmt: skip
        axes.set(ylabel="kHz", title=name)
    panels[-1].set_xlabel("s")
    assert image is not None
    figure.colorbar(image, ax=list(panels), label="dB", fraction=0.03)
    return figure


def _spectrogram(
    sound: NDArray[np.float64], size: int, rate: int
) -> tuple[NDArray[np.float64], float, float]:
    """Return levels [bins, times] in dB, the highest frequency [Hz] and the length [s]."""
    hop = size // 4
    count = max(1, (sound.size - size) // hop + 1)
    at = np.arange(count)[:, None] * hop + np.arange(size)[None]
    pieces = np.resize(sound, max(sound.size, size))[at] * np.hanning(size)[None]
    power = np.abs(np.fft.rfft(pieces, axis=1)) ** 2 / size
    return 10.0 * np.log10(power.T + 1e-14), rate / 2.0, sound.size / rate


def transfer(shown: Prediction) -> Figure:
    """Return the output over the input per sample: the transfer curve, with its hysteresis."""
    figure = _figure(4.8)
    axes = figure.subplots()
    step = max(1, shown.pair.dry.size // DOTS)
    dry = shown.pair.dry[::step]
    axes.plot(dry, shown.pair.wet[::step], ".", ms=3, color=TARGET, alpha=0.35, label="target")
    axes.plot(dry, shown.output[::step], ".", ms=2, color=OUTPUT, alpha=0.35, label="prediction")
    axes.set(xlabel="input", ylabel="output", title="output over input")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, markerscale=4)
    return figure


def loss_by(runs: Sequence[Run], what: str) -> Figure:
    """Return the loss of every run by hidden size (Figure 4) or batch size (Figure 5)."""
    figure = _figure(4.2)
    axes = figure.subplots()
    for arch in PAPER:
        points = [
            (run.size if what == "hidden" else run.recipe.batch, run.loss)
            for run in runs
            if run.recipe.arch == arch and math.isfinite(run.loss)
        ]
        if not points:
            continue
        best: dict[int, float] = {}
        for value, loss in points:
            best[value] = min(loss, best.get(value, math.inf))
        axes.plot(*zip(*points, strict=True), "o", ms=4, color=COLOURS[arch], alpha=0.35)
        axes.plot(
            *zip(*sorted(best.items()), strict=True), "o-", color=COLOURS[arch], label=NAMES[arch]
        )
    batch = what == "batch"
    axes.set(
        yscale="log",
        ylabel="validation loss",
        xlabel="batch size" if batch else "hidden size (CNN: channels)",
        title=f"Figure {5 if batch else 4}: loss by {'batch' if batch else 'hidden'} size",
    )
    if batch:
        sizes = sorted({run.recipe.batch for run in runs})
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=9)
    return figure


def knob_map(names: Sequence[str], found: Sequence[SettingResult]) -> Figure:
    """Return the ESR by knob setting: the last two knobs are the axes of a panel.

    There is a panel per combination of the other knobs. Squares are training settings, circles
    others.
    """
    spread = [*names, "", ""][:2] if len(names) < 2 else list(names[-2:])
    before = len(names) - 2 if len(names) > 2 else 0
    trained = [one for one in found if one.split == "train"] or list(found)
    panels_at = sorted({one.knobs[:before] for one in trained})
    columns = min(2, len(panels_at))
    rows = -(-len(panels_at) // columns)
    figure = _figure(0.9 + 3.1 * rows * (1.0 if columns > 1 else 1.6))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    finite = [one.esr for one in found if math.isfinite(one.esr) and one.esr > 0.0] or [1e-3, 1.0]
    norm = LogNorm(min(finite), max(max(finite), 1.001 * min(finite)))
    dots: PathCollection | None = None
    for axes, at in zip(panels, panels_at, strict=False):
        for one in found:
            if _nearest(one.knobs[:before], panels_at) != at:
                continue
            x, y = (*one.knobs[before:], 0.5)[:2]
            known = one.split == "train"
            style: dict[str, Any] = {"marker": "s" if known else "o", "s": 420 if known else 300}
            if not known:
                style |= {"edgecolors": "#ffffff", "linewidths": 1.5, "zorder": 3}
            if math.isfinite(one.esr):
                dots = axes.scatter(
                    [x], [y], c=[max(one.esr, min(finite))], norm=norm, cmap="viridis_r", **style
                )
            else:
                axes.scatter([x], [y], c="#dddddd", **style)
            text = _label(one)
            dark = math.isfinite(one.esr) and norm(max(one.esr, min(finite))) > 0.45
            axes.annotate(
                text, (x, y), ha="center", va="center", fontsize=6, zorder=2.5 if known else 4,
                color="#ffffff" if dark else "#000000",
            )  # fmt: skip
        chosen = ", ".join(f"{name} {value:g}" for name, value in zip(names, at, strict=False))
        axes.set(title=chosen, xlim=(-0.12, 1.12), ylim=(-0.12, 1.12), xlabel=spread[0])
        axes.set_ylabel(spread[1])
    for axes in panels[len(panels_at) :]:
        axes.set_axis_off()
    if dots is not None:
        figure.colorbar(dots, ax=list(panels), label="ESR", fraction=0.04)
    title = "ESR by knob setting (squares: in training; circles: not)"
    if any(math.isnan(one.esr) for one in found):
        title += "\ngrey: the target is silent; level of the output relative to the mean target"
    figure.suptitle(title, fontsize=9)
    return figure


def _label(one: SettingResult) -> str:
    if math.isfinite(one.esr):
        return f"{one.esr:.3f}".lstrip("0") if one.esr < 10.0 else f"{one.esr:.0f}"
    return f"{one.level_db:.0f} dB" if math.isfinite(one.level_db) else "silent"


def _nearest(at: tuple[float, ...], choices: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return min(choices, key=lambda one: sum((a - b) ** 2 for a, b in zip(at, one, strict=True)))
