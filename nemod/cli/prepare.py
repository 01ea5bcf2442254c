"""`nemod models prepare`: builds rigs ahead, so that no switch waits for a compiler.

What is built stays in the cache of programs (`nemod.builder.program_cache`). Models of one network
share a program, and a model whose verdict is known is not tested again, so a second run is short.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from nemod.chain import CABINET, DEFAULT_CHAIN, MODEL, Chain
from nemod.cli.configuration import add_options, configuration
from nemod.cli.model_table import say
from nemod.common import xla
from nemod.common.command_line import parser
from nemod.config import Config
from nemod.control.preset_files import PresetFiles
from nemod.library import CABINETS, SCAN_LIMIT_S, Library
from nemod.presets import PresetStore, user_folder

RATE_HZ = 48_000
"""[Hz] Where no rate is given: most interfaces start with it."""

Bar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


class _Target(NamedTuple):
    """A rig to build."""

    name: str
    chain: Chain
    files: Mapping[str, Path]
    """By slot."""


def main(argv: Sequence[str], bar: Bar) -> int:
    """Build the rigs of the models that are named, or all; return 1 if one was refused."""
    made = parser(
        "nemod models prepare",
        "Compile and test rigs for a sample rate, a block size and one output or two, so that the "
        "first switch to each of them is as fast as every later one: the models that are named, or "
        "all of the library, in the default chain with the cabinet of --cab; without names also "
        "the chains of all presets. A chain that was changed since is compiled when it is played.",
    )
    add_options(
        made, "library", "cabinets", "presets", "cab", "size", "audio.output", "audio.rate",
        "audio.block",
    )  # fmt: skip
    made.add_argument("names", nargs="*", metavar="NAME", help="[all models and presets]")
    arguments = made.parse_args(argv)
    config = configuration(arguments)
    rate = config.audio.rate
    rate_hz = rate if isinstance(rate, int) else RATE_HZ
    library = Library(config.library)
    found = [library.find(name) for name in arguments.names]
    if not found:
        with bar("reading models") as progress:
            library.refresh(limit_s=SCAN_LIMIT_S, progress=progress)
        readable = (entry for entry in library.entries() if entry.is_read)
        found = [(entry.name, entry.path) for entry in readable if not entry.facts.error]
    targets = _with_models(found, config)
    if not arguments.names:
        targets += _of_presets(library, config)
    xla.prepare()
    # Imported only here: jax takes a second to load.
    from nemod.builder.answer import answer
    from nemod.builder.messages import BuildFailure, BuildRequest, Level

    level = Level(normalize=config.level.normalize, input_dbu=config.level.input_dbu)
    built = ready = refused = 0
    began = time.monotonic()
    with bar("building") as progress:
        for number, target in enumerate(targets):
            progress(number, len(targets))
            request = BuildRequest(
                request_id=number,
                chain=target.chain,
                files={slot: str(path) for slot, path in target.files.items()},
                rate_hz=rate_hz,
                block_frames=config.audio.block,
                outputs=max(1, len(config.audio.output)),
                positions={},
                level=level,
            )
            result = answer(request)
            if isinstance(result, BuildFailure):
                refused += 1
                say(f"refused: {target.name}: {result.reason}")
            elif result.cached:
                ready += 1
            else:
                built += 1
        progress(len(targets), len(targets))
    presets = len(targets) - len(found)
    what = f"{len(found)} models and {presets} presets" if presets else f"{len(found)} models"
    say(
        f"{what} for {rate_hz} Hz and {config.audio.block} frames: {built} built, "
        f"{ready} were ready, {refused} refused; {time.monotonic() - began:.1f} s"
    )
    return 1 if refused else 0


def _with_models(models: Sequence[tuple[str, Path]], config: Config) -> list[_Target]:
    """Return the default chain with each model, and with the cabinet that is configured.

    Raises: NotFoundError where that is not there.
    """
    chain = DEFAULT_CHAIN.with_slot(replace(DEFAULT_CHAIN[MODEL], size=config.size))
    cabinet: dict[str, Path] = {}
    if config.cab:
        given = Path(config.cab)
        files = [given] if given.is_file() else []
        cabinets = Library(config.cabinets, files=files, kind=CABINETS)
        cabinet[CABINET] = given if files else cabinets.find(config.cab)[1]
    return [_Target(name, chain, {MODEL: path, **cabinet}) for name, path in models]


def _of_presets(library: Library, config: Config) -> list[_Target]:
    """Return the chains of all presets whose files are there."""
    store = PresetStore(config.presets or user_folder(), moves_damaged=False)
    finder = PresetFiles(library, Library(config.cabinets, kind=CABINETS))
    targets = []
    for entry in store.entries():
        preset = store.get(entry.number)
        found = finder.resolved(preset)
        if found.missing:
            say(f"left out: preset {entry.name}: {found.problem}")
            continue
        chain = preset.chain
        for slot in chain:
            if slot.file:  # a rig does not depend on its name
                chain = chain.with_slot(replace(slot, file="", sha256=""))
        targets.append(_Target(f"preset {entry.name}", chain, found.rig.paths))
    return targets
