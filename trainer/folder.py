"""Data sets that the program itself makes: sounds and manifest, each file whole or not at all."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from nemod.errors import NemodError
from nemod.files import replacing

MANIFEST = "manifest.json"
STILL = "knobs_that_stand_still"
Sound = NDArray[np.float32]


class FolderError(NemodError):
    """A data set's folder that cannot be written, or holds something else."""


def open_folder(path: Path) -> None:
    """Make the folder.

    Raises: FolderError when that is impossible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(f"{path}: no folder can be made there: {error.strerror}") from None


def write_sound(path: Path, sound: Sound, rate_hz: int) -> None:
    """Write a mono sound [frames] as 32-bit float WAV, under its name only when it is whole.

    Raises: FolderError.
    """
    try:
        with replacing(path) as draft:
            soundfile.write(draft, sound, rate_hz, subtype="FLOAT", format="WAV")
    except (OSError, soundfile.LibsndfileError) as error:
        raise FolderError(f"{path}: cannot be written: {error}") from None


def write_json(path: Path, content: Any) -> None:
    """Write a document, under its name only when it is whole.

    Raises: FolderError.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    try:
        with replacing(path) as draft:
            draft.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FolderError(f"{path}: cannot be written: {error.strerror}") from None


def write_manifest(
    folder: Path,
    *,
    name: str,
    knobs: Sequence[str],
    pairs: Sequence[Mapping[str, Any]],
    made: Mapping[str, Any],
) -> None:
    """Write the manifest that `trainer.data` reads; `made` is how the set came to be.

    A knob that stands still in the whole set is no input of a model: it goes into `made` alone.
    Raises: FolderError.
    """
    turned = [knob for knob in knobs if len({pair["knobs"][knob] for pair in pairs}) > 1]
    still = {knob: pairs[0]["knobs"][knob] for knob in knobs if knob not in turned}
    listed = [{**pair, "knobs": {knob: pair["knobs"][knob] for knob in turned}} for pair in pairs]
    content = {"name": name, "knobs": turned, "align": False, "lag": 0, "pairs": listed}
    write_json(folder / MANIFEST, {**content, "made": {**made, STILL: still}})


def read_pairs(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    """Return the pairs of a set that the program made, with all knobs, and how it was made.

    None where there is no set.
    Raises: FolderError for a manifest that this program did not write.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        made = dict(content["made"])
        still = dict(made[STILL])
        pairs = [{**pair, "knobs": {**still, **pair["knobs"]}} for pair in content["pairs"]]
    except (OSError, ValueError, TypeError, KeyError):
        raise FolderError(
            f"{path}: another data set is there already; choose another folder"
        ) from None
    return pairs, made
