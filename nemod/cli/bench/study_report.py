"""The figures of `nemod bench --study` as a table, a page and a plot."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from rich.table import Table

RATE_HZ = 44_100
"""Samples a second of real time."""
KERNEL = 3
DILATIONS = tuple(2**power for power in range(10))
"""The CNN is the one that `nemod-train` makes by default."""
COLUMNS = ("model", "block", "nemod k/s", "x real", "torch k/s", "x real", "nemod / torch")
TITLE = f"Speed = samples / processing time; real time is {RATE_HZ} samples/s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case; speeds are medians over the rounds [samples/s]."""

    arch: str
    size: int
    """Hidden units, or channels of the CNN."""
    block: int
    """[frames] of one call"""
    nemod: float
    torch: float | None
    ratio: float | None
    """nemod's speed over torch's, round by round, the median."""
    error: float | None
    """Largest difference between nemod and torch, relative to the peak (at least 1)."""


def table(rows: Sequence[Row]) -> Table:
    """Return the speeds as a table."""
    made = Table(title=TITLE)
    for place, name in enumerate(COLUMNS):
        made.add_column(name, justify="left" if place == 0 else "right")
    for row in rows:
        made.add_row(*_cells(row))
    return made


def markdown(rows: Sequence[Row], about: str) -> str:
    """Return the speeds as a page of Markdown."""
    lines = [COLUMNS, ("---", *["--:"] * (len(COLUMNS) - 1)), *map(_cells, rows)]
    body = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"# Speed by hidden size\n\n{TITLE}. {about}\n\n{body}\n"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        *(f"{row.arch.upper()} {row.size}", str(row.block)),
        *(*_speed(row.nemod), *_beside(row)),
    )


def _beside(row: Row) -> tuple[str, ...]:
    if row.torch is None or row.ratio is None:
        return ("-", "-", "-")
    return (*_speed(row.torch), f"{row.ratio:.1f}")


def _speed(samples_s: float) -> tuple[str, str]:
    return f"{samples_s / 1e3:,.1f}", f"{samples_s / RATE_HZ:.2f}"


def draw(rows: Sequence[Row], path: Path) -> bool:
    """Draw speed over hidden size, one panel per architecture; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    names = list(dict.fromkeys(row.arch for row in rows))
    blocks = list(dict.fromkeys(row.block for row in rows))
    colours = dict(
        zip(blocks, ("#d95f02", "#1f77b4", "#2a9d5c", "#7b4ea3", "#666666"), strict=False)
    )
    figure = Figure(figsize=(4.2 * len(names), 4.0), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, arch in zip(panels, names, strict=True):
        for block in blocks:
            own = [row for row in rows if (row.arch, row.block) == (arch, block)]
            colour = colours.get(block, "#000000")
            sizes = [row.size for row in own]
            label = "one sample at a time" if block == 1 else f"blocks of {block}"
            axes.plot(
                sizes, [row.nemod for row in own], "o-", color=colour, label=f"nemod, {label}"
            )
            beside = [(row.size, row.torch) for row in own if row.torch is not None]
            if beside:
                axes.plot(
                    *zip(*beside, strict=True), "s--", color=colour, mfc="white",
                    label=f"torch, {label}",
                )  # fmt: skip
        axes.axhline(RATE_HZ, color="#999999", linewidth=1.0)
        axes.annotate(
            "real time, 44.1 kHz", (0.98, RATE_HZ), xycoords=("axes fraction", "data"),
            textcoords="offset points", xytext=(0, -3), fontsize=8, color="#777777",
            ha="right", va="top",
        )  # fmt: skip
        axes.set(yscale="log", xlabel="channels" if arch == "cnn" else "hidden units")
        axes.set_title(arch.upper())
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("samples / s")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    figure.savefig(path, dpi=110)
    return True


def about(torch: Any | None, rows: Sequence[Row], rounds: int, *, pinned: bool) -> str:
    """Return how the figures were measured."""
    beside = same = ""
    if torch is not None:
        worst = max(row.error or 0.0 for row in rows)
        beside = f" and torch {torch.__version__} (eager, 1 thread)"
        same = f" The same weights; outputs differ by {worst:.0e} of the peak at most."
    core = "one core" if pinned else "one thread"
    return (
        f"nemod's kernels on jax {jax.__version__}{beside}, on {core}, float32, "
        f"alternately, medians of {rounds} rounds; k/s: thousand samples a second.{same} The CNN "
        f"has {len(DILATIONS)} layers of {KERNEL} taps, dilations 1 to {DILATIONS[-1]}. "
        f"{platform.machine()}, Python {platform.python_version()}."
    )
