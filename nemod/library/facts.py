"""Reads from a file what the index stores; the daemon leaves this to reader processes."""

import hashlib
import json
import os
from pathlib import Path
from stat import S_ISREG

from nemod.common.errors import CabinetError, ModelError
from nemod.formats import load_model
from nemod.formats.model import Model
from nemod.formats.readers.json_file import MAX_BYTES
from nemod.formats.summary import parameters, summary
from nemod.library.entry import Facts
from nemod.library.kind import CABINETS
from nemod.library.text import clean

MAX_FIELD = 200
"""[characters] Longest author, gear and the like that is stored."""
MAX_ERROR = 2000


def read_facts(path: Path) -> Facts:
    """Return what a file holds; anything wrong with it becomes `Facts.error`."""
    sha256 = content_hash(path)
    try:
        if path.name.lower().endswith(CABINETS.suffixes):
            return cabinet_facts(path, sha256)
        return model_facts(load_model(path), sha256)
    except (ModelError, CabinetError) as error:
        reason = error.reason
    except Exception as error:  # a fault of a reader must not remove the file from the list
        reason = f"cannot be read: {type(error).__name__}: {error}"
    return Facts(sha256=sha256, error=clean(reason, MAX_ERROR))


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content; empty for what cannot be a model or a cabinet."""
    try:
        # Non-blocking: opening a named pipe would wait for a writer.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(number, "rb") as file:
            status = os.fstat(number)
            if not S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                return ""
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def model_facts(model: Model, sha256: str) -> Facts:
    """Return what the index stores of a model."""
    info = model.info
    return Facts(
        sha256=sha256,
        dialect=clean(model.dialect, MAX_FIELD),
        architecture=clean(summary(model.network), MAX_FIELD),
        parameters=parameters(model.weights),
        knobs=tuple(clean(knob.name, MAX_FIELD) for knob in model.knobs),
        sample_rate=model.sample_rate,
        rate_stated=model.rate_stated,
        gear=clean(info.gear_line, MAX_FIELD),
        author=clean(info.author, MAX_FIELD),
        licence=clean(info.licence, MAX_FIELD),
        esr=info.esr,
        has_probe=model.probe is not None,
        metadata=json.dumps(info.plain()),
    )


def cabinet_facts(path: Path, sha256: str) -> Facts:
    """Return what the index stores of an impulse response. Raises: CabinetError."""
    # Imported only here: a process that reads no sound starts sooner.
    from nemod.formats.impulse_response import facts, load_impulse_response

    response = load_impulse_response(path)
    about = facts(response)
    return Facts(
        sha256=sha256,
        dialect=path.suffix.lower().removeprefix("."),
        architecture=f"{about['length_ms']:g} ms",
        parameters=response.samples.size,
        sample_rate=response.rate_hz,
        rate_stated=True,
        metadata=json.dumps(about),
    )
