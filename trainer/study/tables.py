"""Tables of results: the best run of each architecture, and all runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.study.runs import Run

PAPER = {"cnn": 0.7, "lstm": 0.046, "gru": 0.03}
"""Best weighted validation losses of the reference study, on other recordings."""
NAMES = {"cnn": "CNN", "lstm": "LSTM", "gru": "GRU"}
MOST_ROWS = 60


@dataclass(frozen=True, slots=True)
class Table:
    """A table: column headings and cells."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def best_by_architecture(runs: Sequence[Run]) -> dict[str, Run]:
    """Return the run with the lowest validation loss per architecture, in the paper's order."""
    found: dict[str, Run] = {}
    for run in runs:
        arch = run.recipe.arch
        if math.isfinite(run.loss) and (arch not in found or run.loss < found[arch].loss):
            found[arch] = run
    return {arch: found[arch] for arch in PAPER if arch in found}


def table_1(runs: Sequence[Run]) -> Table:
    """Return the best weighted validation loss per architecture, with its hyperparameters."""
    rows = []
    for arch, run in best_by_architecture(runs).items():
        recipe = run.recipe
        rows.append(
            (
                NAMES[arch],
                number(run.loss),
                f"{PAPER[arch]:g}",
                f"{recipe.learning_rate:.2e}",
                str(recipe.batch),
                str(run.size),
                str(run.layers),
                number(run.validation_esr),
                esr_on_test(run),
                run.name,
            )
        )
    heading = (
        *("model", "loss", "paper's", "Lr", "Bs", "Hs", "Ly"),
        *("validation ESR", "test ESR", "run"),
    )
    return Table(heading, tuple(rows))


def all_runs(runs: Sequence[Run]) -> Table:
    """Return up to `MOST_ROWS` runs, the best first."""
    ordered = sorted(runs, key=lambda run: (math.isnan(run.loss), run.loss))
    rows = tuple(
        (
            run.name,
            NAMES[run.recipe.arch],
            str(run.size),
            str(run.layers),
            f"{run.recipe.learning_rate:.2e}",
            str(run.recipe.batch),
            f"{run.parameters:,}",
            number(run.loss),
            esr_on_test(run),
            str(run.history[-1]["epoch"]) if run.history else "0",
            f"{run.minutes:.1f}",
            run.state if run.state == "complete" else f"{run.state}: {run.reason}".rstrip(": "),
        )
        for run in ordered[:MOST_ROWS]
    )
    heading = (
        *("run", "model", "Hs", "Ly", "Lr", "Bs", "parameters", "loss", "test ESR"),
        *("epochs", "minutes", "state"),
    )
    return Table(heading, rows)


def esr_on_test(run: Run) -> str:
    """Return the ESR on the test set, or `silent`."""
    return "silent" if run.test_is_silent else number(run.test_esr)


def losses(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Return the names of the runs by the formula of their loss, such as `0.75 ESR + 0.25 DC`."""
    found: dict[str, list[str]] = {}
    for run in runs:
        esr, dc = run.recipe.chosen_by
        found.setdefault(f"{esr:g} ESR + {dc:g} DC", []).append(run.name)
    return found


def number(value: float) -> str:
    """Return a loss or an ESR with four significant digits, or a dash if it is not finite."""
    return f"{value:.4g}" if math.isfinite(value) else "-"
