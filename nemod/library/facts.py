"""What a model file tells the index. Loads the readers (numpy), so only the workers import this."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any

from nemod.common.errors import ModelError
from nemod.formats import load_model
from nemod.formats.document import MAX_BYTES
from nemod.formats.model import Model
from nemod.formats.summary import parameters, summary
from nemod.library.entry import Facts
from nemod.library.text import clean

MAX_FIELD = 200
"""[characters] Longest author, gear and the like that is kept."""
MAX_ERROR = 1000
MAX_METADATA = 65_536
"""[characters] More metadata than this, as JSON, is not kept."""
_GEAR_TYPES = {"amp_cab": "amp and cab", "amp_pedal_cab": "amp, pedal and cab"}


def read_facts(path: Path) -> Facts:
    """Read a file; whatever is wrong with it becomes `Facts.error`."""
    sha256 = content_hash(path)
    try:
        model = load_model(path)
        return model_facts(model, sha256)
    except ModelError as error:
        reason = error.reason
    except Exception as error:  # a fault of a reader must not lose the file from the list
        reason = f"cannot be read: {type(error).__name__}: {error}"
    return Facts(sha256=sha256, error=clean(reason, MAX_ERROR))


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content; empty when it is nothing that could be a model."""
    try:
        # Without waiting: a named pipe would let nobody in before somebody writes.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(number, "rb") as file:
            status = os.fstat(number)
            if not S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                return ""
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def model_facts(model: Model, sha256: str) -> Facts:
    """Return what is known of a model that was read."""
    about = model.metadata
    return Facts(
        sha256=sha256,
        dialect=clean(model.dialect, MAX_FIELD),
        architecture=clean(summary(model.network), MAX_FIELD),
        parameters=parameters(model.weights),
        knobs=tuple(clean(knob.name, MAX_FIELD) for knob in model.knobs),
        sample_rate=model.sample_rate,
        rate_stated=model.rate_stated,
        gear=_gear(about),
        author=_first_text(about, "author", "modeled_by", "modelled_by"),
        licence=_first_text(about, "licence", "license"),
        esr=_esr(about),
        has_probe=model.probe is not None,
        metadata=_json(about),
    )


def _gear(about: Mapping[str, Any]) -> str:
    """Return the gear: one field, or NAM's maker, model and type, or AIDA-X's."""
    stated = _first_text(about, "gear")
    if stated:
        return stated
    make, what = _first_text(about, "gear_make"), _first_text(about, "gear_model")
    kind = _first_text(about, "gear_type")
    parts = [make, what, f"({_GEAR_TYPES.get(kind, kind)})" if kind else ""]
    return clean(" ".join(part for part in parts if part), MAX_FIELD) or _first_text(about, "based")


def _esr(about: Mapping[str, Any]) -> float | None:
    training = about.get("training")
    nested = training.get("validation_esr") if isinstance(training, Mapping) else None
    for value in (about.get("esr"), about.get("validation_esr"), nested):
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            continue
        if not isinstance(value, bool) and math.isfinite(number):
            return number
    return None


def _first_text(about: Mapping[str, Any], *keys: str) -> str:
    for key in keys:
        value = about.get(key)
        if isinstance(value, str) and value.strip():
            return clean(value, MAX_FIELD)
    return ""


def _json(about: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(dict(about), allow_nan=False)
    except (TypeError, ValueError):
        return "{}"
    return text if len(text) <= MAX_METADATA else "{}"
