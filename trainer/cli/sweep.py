"""`nemod-train sweep`: searches for the best hyperparameters."""

import argparse
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from nemod.common.command_line import chosen, parser
from nemod.common.errors import ConfigError
from trainer import xla
from trainer.cli.data_options import add_data, add_data_options, data_paths, load
from trainer.learn import run_folder
from trainer.learn.recipe import ARCHITECTURES, Recipe, from_json, read_recipe

if TYPE_CHECKING:
    from trainer.study.plan import Best, SweepProgress
    from trainer.study.space import Range, Space

TRIALS = 40
EPOCHS = 60
SEARCHED = {
    **{name: "--" + name for name in ("arch", "batch", "hidden", "layers", "channels")},
    "learning_rate": "--learning-rate",
    "dilations": "--cnn-layers",
}
"""Parts of a recipe that a sweep decides, and the option for each."""
DESCRIPTION = """\
Search by tree-structured Parzen estimators (Optuna) for the learning rate, batch size, hidden size
and layers with the least validation loss (0.75 ESR + 0.25 DC, or as the recipe weighs them), each
architecture separately, in turn. Hopeless trials are ended early. The same command continues an
interrupted sweep; several processes, on several machines, work on one sweep if they share
--storage and --study. `nemod-train report DIR` shows the results."""
EPILOG = """\
examples:
  nemod-train sweep DATA --trials 40 --arch gru,lstm,cnn
  nemod-train sweep DATA --minutes 45 --minutes-per-trial 2 --out sweeps/pedal
  nemod-train sweep DATA --storage postgresql://user@host/nemod --study pedal
"""


def _parser() -> argparse.ArgumentParser:
    made = parser(
        "nemod-train sweep",
        DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_data(made)
    made.add_argument("--out", type=Path, metavar="DIR", help="folder (sweeps/NAME)")
    made.add_argument(
        "--trials",
        type=_count,
        default=TRIALS,
        metavar="N",
        help=f"total number ({TRIALS})",
    )
    made.add_argument(
        "--arch", default=",".join(ARCHITECTURES), metavar="A,A", help="(%(default)s)"
    )
    made.add_argument("--minutes", type=_minutes, default=0.0, metavar="M", help="total wall time")
    made.add_argument(
        "--epochs",
        type=_count,
        metavar="N",
        help=f"of a trial (from --recipe, or {EPOCHS})",
    )
    made.add_argument(
        "--minutes-per-trial",
        type=_minutes,
        metavar="M",
        help="wall time of a trial, instead of --epochs",
    )
    made.add_argument("--seed", type=_seed, default=1, metavar="N", help="of the search (1)")
    made.add_argument("--recipe", type=Path, metavar="FILE", help="JSON file with recipe settings")
    made.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=V",
        help="a recipe setting that is not searched, such as pre_emphasis=none",
    )
    add_data_options(made, knobs=True)
    made.add_argument("--storage", metavar="URL", help="Optuna storage (SQLite in the folder)")
    made.add_argument("--study", metavar="NAME", help="name in the storage (that of DATA)")
    space = made.add_argument_group(
        "search space", "LOW:HIGH or LOW:HIGH:STEP; one number fixes it"
    )
    space.add_argument("--learning-rate", metavar="LOW:HIGH", help="(0.0005:0.02)")
    space.add_argument("--batch", metavar="N,N,..", help="(16,32,64)")
    space.add_argument("--hidden", metavar="RANGE", help="units of LSTM and GRU (8:64:8)")
    space.add_argument("--layers", metavar="RANGE", help="of LSTM and GRU (1:2)")
    space.add_argument("--channels", metavar="RANGE", help="of the CNN (4:32:4)")
    space.add_argument("--cnn-layers", metavar="RANGE", help="of the CNN (1:10)")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status."""
    arguments = _parser().parse_args(argv)
    xla.prepare()
    recipe = _recipe(arguments)
    architectures = chosen(arguments.arch, ARCHITECTURES, "--arch")
    # Imported here because jax reads its flags on import.
    from trainer.study.plan import SweepPlan
    from trainer.study.sweep import Sweep

    console = Console(stderr=True, highlight=False, markup=False)
    space = _space(arguments)
    # Reported before the recordings are read and checked, which takes time.
    run_folder.try_out(arguments.out or Path("sweeps"))
    dataset = load(arguments, console)
    folder = arguments.out or Path("sweeps") / run_folder.as_name(dataset.name)
    plan = SweepPlan(
        data=str(data_paths(arguments)[0].resolve()),
        architectures=architectures,
        trials=arguments.trials,
        space=space,
        recipe=recipe,
        minutes=arguments.minutes,
        seed=arguments.seed,
        storage=arguments.storage,
        name=arguments.study or dataset.name,
    )
    with (
        _ProgressDisplay(console, plan.trials, plan.minutes) as display,
        Sweep(dataset, plan, folder, display.report_progress) as sweep,
    ):
        if sweep.requeued:
            console.print(f"requeued trials of processes that have ended: {sweep.requeued}")
        try:
            best = sweep.run()
        except KeyboardInterrupt:
            console.print(
                f"interrupted; to continue: nemod-train sweep {shlex.join(argv)}", soft_wrap=True
            )
            return 130
    _print_best(best, folder)
    return 0


class _ProgressDisplay:
    """Prints a progress bar on a terminal, and a line for each trial that ended."""

    def __init__(self, console: Console, trials: int, minutes: float) -> None:
        self._console, self._trials, self._minutes = console, trials, minutes
        self._begin = time.monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (
                TextColumn("trials {task.completed:.0f} of {task.total:.0f}"),
                BarColumn(bar_width=20),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task("the first trial compiles", total=trials, left="")

    def __enter__(self) -> "_ProgressDisplay":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def report_progress(self, progress: "SweepProgress") -> None:
        loss = "-" if progress.loss is None else f"{progress.loss:.4f}"
        best = (
            f"best {progress.best.loss:.4f} ({Path(progress.best.folder).name})"
            if progress.best
            else ""
        )
        if progress.state != "running":
            minutes = (time.monotonic() - self._begin) / 60.0
            self._console.print(
                f"{minutes:6.1f} min  {progress.ended:3d} of {self._trials}  {progress.trial:10}  "
                f"loss {loss:8} {progress.state:8} {progress.reason:24} {best}",
                soft_wrap=True,
            )
        if self._bar:
            self._bar.update(
                self._task,
                completed=progress.ended,
                description=f"{progress.trial} {progress.done:4.0%} loss {loss}  {best}",
                left=self._left(),
            )

    def _left(self) -> str:
        if not self._minutes:
            return ""
        left_s = max(0.0, 60.0 * self._minutes - (time.monotonic() - self._begin))
        return f"{left_s / 60.0:.0f} min left"


def _print_best(best: "Best | None", folder: Path) -> None:
    console = Console(highlight=False, markup=False)
    if best is None:
        console.print(f"{folder}: no trial was completed")
        return
    table = Table("best trial", "validation loss", *best.params)
    table.add_row(
        Path(best.folder).name, f"{best.loss:.5f}", *(_short(v) for v in best.params.values())
    )
    console.print(table)
    console.print(f"{best.folder}\nall results: nemod-train report {folder}", soft_wrap=True)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _recipe(arguments: argparse.Namespace) -> Recipe:
    base = Recipe(epochs=EPOCHS)
    if arguments.recipe:
        base = read_recipe(arguments.recipe, base)
    given: dict[str, Any] = {}
    if arguments.minutes_per_trial:
        given = {"epochs": 1 << 30, "minutes": arguments.minutes_per_trial}
    if arguments.epochs:
        if given:
            problem = "--epochs and --minutes-per-trial exclude each other"
            raise ConfigError("command line", [problem])
        given = {"epochs": arguments.epochs}
    for item in arguments.set:
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError("command line", [f"--set {item!r}: NAME=VALUE is expected"])
        name = name.strip()
        if option := SEARCHED.get(name):
            problem = f"--set {name}: this setting is searched; use {option}"
            raise ConfigError("command line", [problem])
        given[name] = value.strip()
    if "epochs" in given:
        given.setdefault("minutes", 0.0)  # rather than those of the file
    return from_json(given, base)


def _space(arguments: argparse.Namespace) -> "Space":
    from trainer.study.space import Space

    given: dict[str, Any] = {
        name: _range(getattr(arguments, name), "--" + name.replace("_", "-"))
        for name in ("hidden", "layers", "channels", "cnn_layers")
        if getattr(arguments, name) is not None
    }
    if arguments.batch is not None:
        given["batch"] = _numbers(arguments.batch, int, ",", "--batch", "whole numbers, as 16,32")
    if arguments.learning_rate is not None:
        expected = "LOW:HIGH or one number, as 0.001:0.01"
        found = _numbers(arguments.learning_rate, float, ":", "--learning-rate", expected, 2)
        given["learning_rate"] = (found[0], found[-1])
    return Space(**given)


def _range(text: str, option: str) -> "Range":
    from trainer.study.space import Range

    expected = "LOW:HIGH, LOW:HIGH:STEP or one number, as 8:64:8"
    found = _numbers(text, int, ":", option, expected, 3)
    high = found[1] if len(found) > 1 else found[0]
    return Range(low=found[0], high=high, step=found[2] if len(found) > 2 else 1)


def _numbers(
    text: str, kind: type, between: str, option: str, expected: str, most: int = 100
) -> tuple[Any, ...]:
    try:
        values = tuple(kind(part) for part in text.split(between))
    except ValueError:
        values = ()
    if not 1 <= len(values) <= most:
        raise ConfigError("command line", [f"{option} {text!r}: {expected} is expected"])
    return values


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 1 is expected")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 0 is expected")
    return int(text)


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}: minutes, a number above 0, are expected")
    return value
