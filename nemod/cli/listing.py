"""`nemod devices`, `nemod models` and `nemod check`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nemod.cli.options import add_library, configuration, parser
from nemod.config import load as load_config
from nemod.engine.devices import DEMO, NULL
from nemod.engine.portaudio import list_ports
from nemod.errors import AudioError, ConfigError, ModelError
from nemod.formats import load_model
from nemod.formats.summary import summary
from nemod.library import Library


def devices(argv: Sequence[str]) -> int:
    """List what `--device` can name."""
    parser("nemod devices", "List the devices that --device can name.").parse_args(argv)
    table = Table("name", "host API", "in", "out", "rate")
    trouble = ""
    try:
        for port in list_ports():
            table.add_row(
                port.name, port.host_api, str(port.inputs), str(port.outputs), f"{port.rate_hz} Hz"
            )
    except AudioError as error:
        trouble = str(error)
    table.add_row(DEMO, "nemod", "-", "-", "a phrase of its own, to the default output or a clock")
    table.add_row(NULL, "nemod", "-", "-", "silence, on a clock")
    Console().print(table)
    if trouble:
        Console(stderr=True).print(f"nemod: {trouble}", markup=False, soft_wrap=True)
        return 1
    return 0


def models(argv: Sequence[str]) -> int:
    """List the models of the library."""
    made = parser("nemod models", "List the models of the library.")
    add_library(made)
    config = configuration(made.parse_args(argv), {})
    library = Library(config.library)
    table = Table("index", "model", "architecture", "rate", "knobs", "file")
    for index, name in enumerate(library.names):
        _, path = library.find(name)
        try:
            model = load_model(path)
        except ModelError as error:
            table.add_row(str(index), name, f"refused: {error.reason}", "", "", str(path))
            continue
        table.add_row(
            str(index),
            name,
            summary(model.network),
            f"{model.sample_rate} Hz",
            ", ".join(knob.name for knob in model.knobs),
            str(path),
        )
    Console().print(table)
    return 0


def check(argv: Sequence[str]) -> int:
    """Say what files hold, or what is wrong with them; 1 when any is refused."""
    made = parser("nemod check", "Say what a model or a configuration holds, or what is wrong.")
    made.add_argument("files", nargs="+", type=Path, metavar="FILE")
    refused = 0
    for path in made.parse_args(argv).files:
        try:
            _check_one(path)
        except (ModelError, ConfigError) as error:
            refused += 1
            print(f"refused: {error}", file=sys.stderr)  # noqa: T201
    return 1 if refused else 0


def _check_one(path: Path) -> None:
    console = Console()
    if path.suffix.lower() in (".yaml", ".yml"):
        load_config(path, {})
        console.print(f"{path}: a configuration without a fault", markup=False)
        return
    # The foundry is asked, so what is said here is what will be played.
    from nemod.engine.foundry import describe, prove

    model = load_model(path)
    error = prove(model)
    facts = describe(model) | {
        "probe": "none in the file" if error is None else f"passed, largest error {error:.1e}"
    }
    console.print(f"{path}:", markup=False)
    for key, value in facts.items():
        console.print(f"  {key.replace('_', ' ')}: {value}", markup=False, soft_wrap=True)
