"""`nemod-train train`: trains a model."""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nemod.common.command_line import parser
from nemod.common.errors import ConfigError
from trainer import xla
from trainer.cli.command import redact_paths
from trainer.cli.data_options import add_data, add_data_options, load
from trainer.learn import run_folder
from trainer.learn.recipe import Recipe, from_json, read_recipe

if TYPE_CHECKING:
    from trainer.learn.fit import Epoch, Result

DESCRIPTION = """\
Train a model on dry and wet recordings and write it to a file for nemod and other players. DATA is
a folder, a manifest, a GuitarML configuration, or a dry and a wet recording. The best model is
written to the run's folder after every validation. Ctrl-C ends a run cleanly; --resume continues a
run that was interrupted."""


def _parser() -> argparse.ArgumentParser:
    made = parser("nemod-train train", DESCRIPTION)
    add_data(made)
    made.add_argument("--out", type=Path, metavar="DIR", help="folder of the run (runs/NAME)")
    made.add_argument("--name", help="name of the model and its file (default: data-archNN)")
    made.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in the folder, with the same result as without the interruption "
        "(not with --minutes, where the learning rate depends on the elapsed time)",
    )
    made.add_argument("--recipe", type=Path, metavar="FILE", help="JSON file with recipe settings")
    add_data_options(made, knobs=True)
    made.add_argument("--licence", default=None, help="licence, written to the model")
    made.add_argument("--author", default=None, help="author, written to the model")
    made.add_argument("--description", default=None, help="description, written to the model")
    group = made.add_argument_group("recipe", "defaults are read from the recipe file")
    for part in fields(Recipe):
        option = "--" + part.name.replace("_", "-")
        group.add_argument(option, default=None, metavar="V", help=f"({_shown(part.default)})")
    return made


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status."""
    arguments = _parser().parse_args(argv)
    xla.prepare()
    recipe = _recipe(arguments)
    console = Console(stderr=True, highlight=False, markup=False)
    if arguments.name is not None:
        run_folder.check_name(arguments.name)
    folder = arguments.out or (Path("runs") / arguments.name if arguments.name else None)
    # Reported before the recordings are read and checked, which takes time.
    run_folder.try_out(folder or Path("runs"))
    if folder is not None:
        with run_folder.claimed(folder):
            run_folder.check(folder, resume=arguments.resume)
    dataset = load(arguments, console)
    own = run_folder.as_name(f"{dataset.name}-{recipe.arch}{recipe.size}")
    folder = folder or Path("runs") / own
    name = arguments.name
    if name is None and (not arguments.resume or run_folder.before(folder).name is None):
        name = own
    given = {
        "author": arguments.author,
        "licence": arguments.licence,
        "description": arguments.description,
        "made_by": redact_paths(
            ["nemod-train", "train", *argv], (*arguments.data, arguments.out, arguments.recipe)
        ),
    }
    metadata = {key: value for key, value in given.items() if value is not None}
    # Imported here because jax reads its flags on import.
    from trainer.learn.fit import fit

    with _ProgressDisplay(console) as display:
        result = fit(
            dataset,
            recipe,
            folder,
            display.epoch,
            name=name,
            resume=arguments.resume,
            metadata=metadata,
            report=lambda message: console.print(message, soft_wrap=True),
        )
    interrupted = result.stopped == "interrupted"
    if not result.best_epoch:
        console.print(
            f"{folder}: no model was written ({result.stopped}): no validation was completed",
            soft_wrap=True,
        )
        return 130 if interrupted else 1
    _print_result(result)
    return 130 if interrupted else 0


def _recipe(arguments: argparse.Namespace) -> Recipe:
    base = read_recipe(arguments.recipe) if arguments.recipe else Recipe()
    every = {part.name: getattr(arguments, part.name) for part in fields(Recipe)}
    given = {key: value for key, value in every.items() if value is not None}
    if "epochs" in given and "minutes" in given:
        raise ConfigError("command line", ["--epochs and --minutes exclude each other"])
    if "epochs" in given:
        given["minutes"] = 0.0  # rather than those of the file
    return from_json(given, base)


class _ProgressDisplay:
    """Prints a progress bar on a terminal, else a line per epoch."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.description}"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task("the first epoch compiles", total=1.0)

    def __enter__(self) -> "_ProgressDisplay":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def epoch(self, epoch: "Epoch") -> None:
        text = f"epoch {epoch.epoch}  loss {epoch.train_loss:.4f}"
        if epoch.validation_esr is not None:
            text += f"  validation ESR {epoch.validation_esr:.5f}  best {epoch.best_esr:.5f}"
        if self._bar:
            self._bar.update(self._task, completed=epoch.done, description=text)
        elif epoch.validation_esr is not None:
            done = f"{epoch.done:6.1%}  {epoch.seconds:7.1f} s  "
            self._console.print(f"{done}{text}  rate {epoch.learning_rate:.2e}", soft_wrap=True)


def _print_result(result: "Result") -> None:
    out = sys.stdout.write
    out(
        f"{result.path}: {result.epochs} epochs in {result.seconds / 60.0:.1f} minutes "
        f"({result.stopped}), best at {result.best_epoch}\n"
        f"validation ESR {result.validation.esr:.6f}, loss {result.validation.loss:.6f}\n"
    )
    if result.test is None:
        out("no test set: the validation ESR is of the data that selected the model\n")
        return
    ratio = "silent" if math.isnan(result.test.esr) else f"{result.test.esr:.6f}"
    out(
        f"test ESR {ratio} (energy of the error over energy of the target, over "
        "the whole test set, no pre-emphasis)\n"
    )
    for setting in result.settings:
        knobs = "  ".join(f"{key} {value:g}" for key, value in setting["knobs"].items())
        ratio = "silent" if setting["esr"] is None else f"{setting['esr']:.6f}"
        out(f"  {ratio:>9}  {knobs or setting['name']}\n")
