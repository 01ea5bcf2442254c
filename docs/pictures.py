"""Draws the README's pictures: `python docs/pictures.py`. The sound in them comes from `render`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import nemod
from nemod.engine.devices.demo import phrase

HERE = Path(__file__).resolve().parent
RATE = 48_000
CONTROL, AUDIO, OUTSIDE = "#dbe9f6", "#fde3cf", "#eeeeee"


def before_and_after() -> None:
    """The demo phrase before and after the rig: a few milliseconds of wave, and the spectrum."""
    model = nemod.load_model(HERE.parent / "models" / "drive-gru20.json")
    clean = phrase(RATE)
    played = nemod.render(model, clean, RATE, settings={"gain": 0.8, "level": 0.8})
    figure, (wave, spectrum) = plt.subplots(1, 2, figsize=(10.0, 3.2), layout="constrained")
    start, stop = round(0.30 * RATE), round(0.33 * RATE)
    time_ms = np.arange(stop - start) / RATE * 1e3
    for sound, label, colour in ((clean, "guitar", "#1f77b4"), (played, "nemod", "#d95f02")):
        wave.plot(time_ms, sound[start:stop], label=label, color=colour, linewidth=1.2)
        window = np.hanning(1 << 15)
        piece = sound[start : start + window.size] * window
        level = 20.0 * np.log10(np.abs(np.fft.rfft(piece)) / (window.sum() / 2.0) + 1e-9)
        hertz = np.fft.rfftfreq(window.size, 1.0 / RATE)
        spectrum.semilogx(hertz[1:], level[1:], label=label, color=colour, linewidth=0.7)
    wave.set(xlabel="ms", ylabel="full scale", title="a chord of the demo phrase")
    spectrum.set(
        xlim=(60, 12_000), ylim=(-110, 0), xlabel="Hz", ylabel="dBFS", title="its spectrum"
    )
    for axes in (wave, spectrum):
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")
    figure.suptitle("drive-gru20, gain 0.8, as rendered by `nemod render`")
    figure.savefig(HERE / "before-after.png", dpi=110)
    plt.close(figure)


def box(axes: Axes, x: float, y: float, width: float, text: str, colour: str) -> None:
    """One part."""
    shape = FancyBboxPatch((x, y), width, 0.72, boxstyle="round,pad=0.06", fc=colour, ec="#555555")
    axes.add_patch(shape)
    axes.text(x + width / 2, y + 0.36, text, ha="center", va="center", fontsize=9)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str) -> None:
    """What travels from part to part."""
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color="#333333")
    )
    middle = ((start[0] + end[0]) / 2 + 0.08, (start[1] + end[1]) / 2)
    axes.text(*middle, text, fontsize=8, va="center", color="#333333")


def architecture() -> None:
    """Three processes and what travels between them."""
    figure, axes = plt.subplots(figsize=(10.0, 4.4), layout="constrained")
    axes.set(xlim=(0, 12), ylim=(0, 5.4))
    axes.axis("off")
    axes.add_patch(FancyBboxPatch((0.2, 2.6), 7.3, 1.3, boxstyle="round", fc=CONTROL, ec="none"))
    axes.text(3.0, 3.95, "control plane: process nemod", fontsize=9, weight="bold")
    axes.add_patch(FancyBboxPatch((8.6, 2.6), 3.0, 1.3, boxstyle="round", fc=CONTROL, ec="none"))
    axes.text(8.6, 3.95, "process nemod foundry", fontsize=9, weight="bold")
    axes.add_patch(FancyBboxPatch((0.2, 0.2), 11.4, 1.3, boxstyle="round", fc=AUDIO, ec="none"))
    axes.text(0.3, 1.58, "audio plane: process nemod audio", fontsize=9, weight="bold")
    box(axes, 0.6, 4.5, 3.2, "phone, script, controller", OUTSIDE)
    box(axes, 0.4, 2.9, 1.8, "OSC server", "white")
    box(axes, 2.8, 2.9, 1.8, "settings", "white")
    box(axes, 5.2, 2.9, 1.9, "library, loads", "white")
    box(axes, 8.8, 2.9, 2.5, "read, compile,\nprove, warm up", "white")
    box(axes, 0.5, 0.62, 1.7, "guitar", OUTSIDE)
    box(axes, 3.0, 0.62, 3.6, "engine: one compiled call a block", "white")
    box(axes, 7.3, 0.62, 1.5, "speaker", OUTSIDE)
    box(axes, 9.4, 0.62, 2.0, "helper: load rigs", "white")
    arrow(axes, (1.3, 4.44), (1.3, 3.7), "UDP")
    arrow(axes, (2.26, 3.26), (2.74, 3.26), "")
    arrow(axes, (3.7, 2.84), (4.2, 1.42), "whole snapshots (pipe)")
    arrow(axes, (5.9, 1.42), (6.1, 2.84), "meters, faults (pipe)")
    arrow(axes, (7.16, 3.36), (8.74, 3.36), "order")
    arrow(axes, (8.74, 3.05), (7.16, 3.05), "rig")
    arrow(axes, (7.0, 2.84), (10.0, 1.42), "  program, weights, state (socket)")
    arrow(axes, (2.26, 0.98), (2.94, 0.98), "")
    arrow(axes, (6.66, 0.98), (7.24, 0.98), "")
    axes.plot([10.4, 10.4, 4.8], [0.56, 0.3, 0.3], color="#333333", linewidth=1)
    arrow(axes, (4.8, 0.3), (4.8, 0.58), "")
    figure.savefig(HERE / "architecture.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    architecture()
    before_and_after()
