"""`nemod models prepare`: builds the rigs of models ahead, so that no switch waits for a compiler.

What is built stays in the cache of programs (`nemod.builder.program_cache`). Models of one network
share a program, and a model whose verdict is known is not tested again, so a second run is short.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from nemod.chain import DEFAULT_CHAIN, MODEL
from nemod.cli.configuration import add_options, configuration
from nemod.cli.model_table import say
from nemod.common import xla
from nemod.common.command_line import parser
from nemod.library import SCAN_LIMIT_S, Library

RATE_HZ = 48_000
"""[Hz] Where no rate is given: most interfaces start with it."""

Bar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


def main(argv: Sequence[str], bar: Bar) -> int:
    """Build the rigs of the models that are named, or of all; return 1 if one was refused."""
    made = parser(
        "nemod models prepare",
        "Compile and test the rigs of models for a sample rate, a block size and one output or "
        "two, so that the first switch to each of them is as fast as every later one.",
    )
    add_options(made, "library", "audio.output", "audio.rate", "audio.block")
    made.add_argument("names", nargs="*", metavar="NAME", help="[all models]")
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
    xla.prepare()
    # Imported only here: jax takes a second to load.
    from nemod.builder.answer import answer
    from nemod.builder.messages import BuildFailure, BuildRequest, Level

    level = Level(normalize=config.level.normalize, input_dbu=config.level.input_dbu)
    built = ready = refused = 0
    began = time.monotonic()
    with bar("building") as progress:
        for number, (name, path) in enumerate(found):
            progress(number, len(found))
            request = BuildRequest(
                request_id=number,
                chain=DEFAULT_CHAIN,
                files={MODEL: str(path)},
                rate_hz=rate_hz,
                block_frames=config.audio.block,
                outputs=max(1, len(config.audio.output)),
                positions={},
                level=level,
            )
            result = answer(request)
            if isinstance(result, BuildFailure):
                refused += 1
                say(f"refused: {name}: {result.reason}")
            elif result.cached:
                ready += 1
            else:
                built += 1
        progress(len(found), len(found))
    say(
        f"{len(found)} models for {rate_hz} Hz and {config.audio.block} frames: {built} built, "
        f"{ready} were ready, {refused} refused; {time.monotonic() - began:.1f} s"
    )
    return 1 if refused else 0
