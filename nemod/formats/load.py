"""`load_model`: reads a model file of any dialect, recognised by its content."""

import sys
from functools import lru_cache
from os import PathLike
from pathlib import Path

from nemod.formats.dialects import dialect_of
from nemod.formats.model import Model
from nemod.formats.readers.common import refuse_outputs
from nemod.formats.readers.extras import Extras
from nemod.formats.readers.json_file import read_json
from nemod.formats.readers.other_files import refuse
from nemod.formats.readers.reading import Source


def load_model(path: str | PathLike[str], *, size: float | None = None) -> Model:
    """Read a model file; all of it is checked before anything is built.

    `size` (0 to 1) picks the size of a model that has several; the full one if absent. Other
    models ignore it. Metadata that cannot be used is left out with a warning in the log.

    Raises: ModelError naming the file, the key (or line and column), what was found and what was
        expected.
    """
    file = Path(path)
    root, faults = read_json(file)
    dialect = dialect_of(root)
    if dialect is None:
        if faults:
            root.fail(faults[0])
        refuse(root)
    extras = Extras()
    reading = dialect.read(Source(root, extras, size if dialect.has_sizes else None))
    refuse_outputs(root, reading.network.outputs)
    ignored = (*faults, *extras.left_out)
    if ignored:
        _warn(str(file), ignored)
    is_stated = reading.sample_rate is not None
    return Model(
        name=file.stem,
        dialect=dialect.name,
        network=reading.network,
        weights=reading.weights,
        knobs=reading.knobs,
        sample_rate=reading.sample_rate or dialect.default_rate_hz,
        rate_stated=is_stated,
        rate_follows_device=dialect.plays_at_device_rate and not is_stated,
        in_gain=reading.in_gain,
        out_gain=reading.out_gain,
        prewarm_frames=reading.prewarm_frames,
        probe=reading.probe,
        sizes=reading.sizes,
        info=reading.info,
        size_starts=reading.size_starts,
    )


@lru_cache(maxsize=1000)
def _warn(file: str, ignored: tuple[str, ...]) -> None:
    """Log what was ignored in a file; once per process for the same file and values."""
    # Imported only here: without it a process that reads a library starts a third sooner.
    import structlog

    log = structlog.get_logger("nemod")
    if not structlog.is_configured():
        # Unconfigured, structlog writes to standard output, where a command writes its result.
        log = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
    log.warning("metadata of a model ignored", file=file, ignored=list(ignored))
