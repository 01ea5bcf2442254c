"""Draws the pictures of README, ARCHITECTURE and `docs`: `python docs/pictures.py`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import nemod
from nemod.engine.devices.demo import phrase, pluck
from nemod.formats.impulse_response import LEVEL_BAND_HZ, load_impulse_response, playable
from nemod.fx.gate import HYSTERESIS_DB, gate

HERE = Path(__file__).resolve().parent
RATE = 48_000
CONTROL, AUDIO, OUTSIDE = "#dbe9f6", "#fde3cf", "#eeeeee"
ENDS = ("guitar", "speaker")


def before_and_after() -> None:
    """Draw waveform and spectrum of the demo phrase before and after the rig (`nemod.render`)."""
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


def gate_during_rests() -> None:
    """Draw damped notes with hum before and after the gate, and the gain of the gate."""
    threshold_db, hum_db = -44.0, -54.0
    time = np.arange(round(2.1 * RATE)) / RATE
    sound = 10.0 ** (hum_db / 20.0) * np.sin(2.0 * np.pi * 50.0 * time)
    sound *= 1.0 + 0.4 * np.sin(2.0 * np.pi * 150.0 * time)
    rng = np.random.default_rng(1)
    for start_s, pitch_hz, ring_s in ((0.2, 82.4, 0.3), (0.8, 110.0, 0.12), (1.15, 146.8, 0.35)):
        note = 0.3 * pluck(pitch_hz, 2.4, RATE, rng)
        note *= np.minimum(1.0, np.exp((ring_s - np.arange(note.size) / RATE) / 0.012))
        piece = note[: sound.size - round(start_s * RATE)]
        sound[round(start_s * RATE) :][: piece.size] += piece
    knobs = (1.0, 10.0 ** (threshold_db / 20.0), 1.0, 50.0, 100.0)
    controls = np.repeat(np.array(knobs, np.float32)[:, None], sound.size, axis=1)
    effect = gate(RATE)
    start = effect.init((), jnp.asarray(controls[:, 0]))
    block = jnp.asarray(sound, jnp.float32)
    after = np.asarray(effect.process((), jnp.asarray(controls), start, block)[1], np.float64)
    level_db = 20.0 * np.log10(np.abs(sound) + 1e-9)
    seen = np.abs(sound) > 2e-5  # where the sound crosses zero its ratio says nothing
    gain_db = 20.0 * np.log10(np.maximum(after[seen] / sound[seen], 1e-5))
    figure, (wave, level, gain) = plt.subplots(
        3, 1, figsize=(10.0, 6.0), sharex=True, layout="constrained"
    )
    wave.plot(time, sound, label="guitar with hum", color="#1f77b4", linewidth=0.6)
    wave.plot(time, after, label="after the gate", color="#d95f02", linewidth=0.6)
    wave.set(ylim=(-0.03, 0.03), ylabel="full scale", title="the gate during rests, enlarged")
    level.plot(time, level_db, color="#1f77b4", linewidth=0.3)
    opening, closing = threshold_db, threshold_db - HYSTERESIS_DB
    level.axhline(opening, color="#333333", linewidth=1.0, label="opens")
    level.axhline(closing, color="#333333", linewidth=1.0, linestyle="--", label="closes")
    level.set(ylim=(-80, 0), ylabel="dBFS", title="level of the guitar with hum")
    gain.plot(time[seen], gain_db, color="#d95f02", linewidth=1.2)
    gain.set(ylim=(-105, 5), xlim=(0, time[-1]), xlabel="s", ylabel="dB", title="gain of the gate")
    for axes in (wave, level, gain):
        axes.grid(alpha=0.3)
    wave.legend(loc="upper right")
    level.legend(loc="upper right")
    times = f"attack {knobs[2]:.0f} ms, hold {knobs[3]:.0f} ms, release {knobs[4]:.0f} ms"
    figure.suptitle(f"threshold {threshold_db:.0f} dB, {times}")
    figure.savefig(HERE / "gate.png", dpi=110)
    plt.close(figure)


def cabinet_responses() -> None:
    """Draw the cabinets that ship: frequency responses, and the beginning of one response."""
    figure, (spectrum, wave) = plt.subplots(
        1, 2, figsize=(10.0, 3.6), width_ratios=(2, 1), layout="constrained"
    )
    for file in sorted((HERE.parent / "cabinets").glob("*.flac")):
        taps = playable(load_impulse_response(file), RATE)
        level_db = 20.0 * np.log10(np.abs(np.fft.rfft(taps, RATE)) + 1e-9)
        (line,) = spectrum.semilogx(level_db, label=file.stem, linewidth=1.2)
        if file.stem == "sim-closed-4x12":
            shown = np.concatenate([np.zeros(48), taps[: RATE // 100]])
            time_ms = (np.arange(shown.size) - 48) / RATE * 1e3
            wave.plot(time_ms, shown, color=line.get_color(), linewidth=1.0)
            wave.set_title(f"{file.stem}, as it is played")
    low, high = LEVEL_BAND_HZ
    spectrum.axvspan(low, high, color="#999999", alpha=0.15, label="where the level is matched")
    spectrum.set(
        xlim=(40, 16_000), ylim=(-50, 12), xlabel="Hz", ylabel="dB", title="frequency response"
    )
    wave.set(xlabel="ms")
    for axes in (spectrum, wave):
        axes.grid(alpha=0.3)
    spectrum.legend(loc="lower left", fontsize=8)
    figure.savefig(HERE / "cabinets.png", dpi=110)
    plt.close(figure)


def box(axes: Axes, x: float, y: float, width: float, text: str, colour: str) -> None:
    """Draw a labelled box."""
    shape = FancyBboxPatch((x, y), width, 0.72, boxstyle="round,pad=0.06", fc=colour, ec="#555555")
    axes.add_patch(shape)
    axes.text(x + width / 2, y + 0.36, text, ha="center", va="center", fontsize=9)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str) -> None:
    """Draw an arrow, labelled with the data that it stands for."""
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color="#333333")
    )
    middle = ((start[0] + end[0]) / 2 + 0.08, (start[1] + end[1]) / 2)
    axes.text(*middle, text, fontsize=8, va="center", color="#333333")


def signal_line(axes: Axes, slots: list[str], x: float, y: float) -> float:
    """Draw boxes from left to right, joined by arrows; return where the last box ends."""
    for number, slot in enumerate(slots):
        if number:
            arrow(axes, (x + 0.08, y), (x + 0.5, y), "")
            x += 0.6
        colour = OUTSIDE if slot in ENDS else AUDIO if "model" in slot else CONTROL
        width = 0.5 + 0.11 * max(map(len, slot.splitlines()))
        box(axes, x, y - 0.36, width, slot, colour)
        x += width
    return x


def signal_chains() -> None:
    """Draw the default chain, and one with two amps side by side in a split."""
    figure, axes = plt.subplots(figsize=(11.0, 1.0), layout="constrained")
    axes.axis("off")
    slots = [ENDS[0], "noise\ngate", "com-\npressor", "amp or pedal\n(model)", "cabinet"]
    end = signal_line(axes, [*slots, "equalizer", "delay", "reverb", ENDS[1]], 0.0, 0.0)
    axes.set(xlim=(-0.2, end + 0.2), ylim=(-0.6, 0.6))
    figure.savefig(HERE / "signal-chain.png", dpi=110)
    plt.close(figure)
    figure, axes = plt.subplots(figsize=(11.0, 2.2), layout="constrained")
    axes.axis("off")
    start = signal_line(axes, [ENDS[0], "noise\ngate", "pedal\n(model)"], 0.0, 0.0)
    branches = {0.8: ["amp a (model)", "open 1x12"], -0.8: ["amp b (model)", "closed 4x12"]}
    ends = {y: signal_line(axes, slots, start + 1.0, y) for y, slots in branches.items()}
    mix = max(ends.values()) + 1.0
    for y, end in ends.items():
        arrow(axes, (start + 0.08, 0.0), (start + 0.9, y), "")
        axes.plot([end + 0.08, mix - 0.88], [y, y], color="#333333", linewidth=1)
        arrow(axes, (mix - 0.92, y), (mix - 0.1, 0.0), "")
    end = signal_line(axes, ["split\nmix", "delay", "reverb", ENDS[1]], mix, 0.0)
    axes.set(xlim=(-0.2, end + 0.2), ylim=(-1.4, 1.4))
    figure.savefig(HERE / "signal-split.png", dpi=110)
    plt.close(figure)


def process(
    axes: Axes, x: float, y: float, width: float, height: float, title: str, colour: str
) -> None:
    """Draw the frame of a process."""
    frame = FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0.08", fc=colour, ec="none")
    axes.add_patch(frame)
    axes.text(x, y + height + 0.13, title, fontsize=9, weight="bold")


def architecture() -> None:
    """Draw all processes and the data that they exchange."""
    figure, axes = plt.subplots(figsize=(10.5, 6.4), layout="constrained")
    axes.set(xlim=(0, 12.6), ylim=(0, 7.7))
    axes.axis("off")
    box(axes, 0.5, 6.6, 3.2, "phone, script, controller", OUTSIDE)
    process(axes, 0.3, 3.5, 8.1, 2.3, "", CONTROL)
    axes.text(2.9, 5.93, "nemod (the daemon; no jax)", fontsize=9, weight="bold")
    box(axes, 0.5, 4.9, 2.2, "surfaces: osc", "white")
    box(axes, 3.2, 4.9, 2.3, "control core\ncontroller, events", "white")
    box(axes, 6.0, 4.9, 2.2, "model switcher", "white")
    box(axes, 0.5, 3.7, 2.2, "library", "white")
    box(axes, 3.2, 3.7, 2.3, "session, telemetry", "white")
    box(axes, 6.0, 3.7, 2.2, "supervisor", "white")
    process(axes, 9.6, 4.7, 2.7, 1.1, "nemod builder", CONTROL)
    box(axes, 9.7, 4.88, 2.5, "read, compile,\nverify, warm up", "white")
    process(axes, 9.6, 3.1, 2.7, 0.9, "reader workers", CONTROL)
    box(axes, 9.7, 3.18, 2.5, "decode unknown files", "white")
    process(axes, 0.3, 0.5, 8.1, 1.6, "nemod audio (real-time)", AUDIO)
    box(axes, 0.5, 0.9, 1.4, "guitar", OUTSIDE)
    box(axes, 2.5, 0.9, 2.6, "engine: one compiled\ncall per block", "white")
    box(axes, 5.6, 0.9, 1.2, "speaker", OUTSIDE)
    box(axes, 7.1, 0.9, 1.2, "helper", "white")
    process(axes, 9.6, 1.5, 2.7, 0.8, "nemod standby", AUDIO)
    box(axes, 9.7, 1.55, 2.5, "rig loaded, no device", "white")
    process(axes, 9.6, 0.1, 2.7, 0.6, "nemod probe", AUDIO)
    axes.text(10.95, 0.4, "is the device connected?", ha="center", va="center", fontsize=9)
    arrow(axes, (2.2, 6.5), (2.2, 5.75), "")
    axes.text(2.3, 6.25, "UDP", fontsize=8, color="#333333")
    arrow(axes, (2.78, 5.3), (3.12, 5.3), "")
    arrow(axes, (3.12, 5.08), (2.78, 5.08), "")
    arrow(axes, (5.58, 5.26), (5.92, 5.26), "")
    arrow(axes, (8.28, 5.4), (9.55, 5.4), "")
    axes.text(8.5, 5.48, "request", fontsize=8, color="#333333")
    arrow(axes, (9.55, 5.0), (8.28, 5.0), "")
    axes.text(8.5, 5.08, "rig", fontsize=8, color="#333333")
    axes.plot([1.6, 1.6, 9.0, 9.0], [3.6, 3.3, 3.3, 3.4], color="#333333", linewidth=1)
    arrow(axes, (9.0, 3.4), (9.5, 3.4), "")
    arrow(axes, (7.0, 4.85), (7.0, 4.5), "")
    arrow(axes, (3.1, 3.4), (3.3, 1.75), "")
    axes.text(0.9, 2.75, "settings: whole\nsnapshots (pipe)", fontsize=8, color="#333333")
    arrow(axes, (4.7, 1.75), (4.9, 3.4), "")
    axes.text(4.9, 2.25, "telemetry (pipe)", fontsize=8, color="#333333")
    arrow(axes, (7.7, 3.6), (7.7, 1.75), "rigs\n(socket)")
    arrow(axes, (8.28, 3.8), (9.5, 2.3), "rigs")
    arrow(axes, (1.98, 1.26), (2.42, 1.26), "")
    arrow(axes, (5.18, 1.26), (5.52, 1.26), "")
    axes.plot([7.7, 7.7, 3.8], [0.84, 0.62, 0.62], color="#333333", linewidth=1)
    arrow(axes, (3.8, 0.62), (3.8, 0.84), "")
    figure.savefig(HERE / "architecture.png", dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    architecture()
    signal_chains()
    before_and_after()
    gate_during_rests()
    cabinet_responses()
