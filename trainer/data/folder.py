"""Writes data sets: recordings and a manifest, each file replaced atomically."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from nemod.common.errors import NemodError
from nemod.common.files import replacing
from trainer.data.files import listed
from trainer.data.layouts import MANIFESTS, SOUND_ENDINGS
from trainer.data.plan import SPLIT_WORDS

MANIFEST = "manifest.json"
NUMBERED = re.compile(r"\d{3,}_(train|validation|test)(_.*)?-(input|target)\.wav")
"""Names of the recordings in a generated data set."""
NAMED = 3
"""An error names at most this many of the conflicting files."""
STILL = "knobs_that_stand_still"
"""Manifest key below `made`: positions of the knobs that are constant over the data set."""
Sound = NDArray[np.float32]


class FolderError(NemodError):
    """A data set folder that cannot be written, or that holds other data."""


def open_folder(path: Path) -> None:
    """Create a folder and its parents.

    Raises: FolderError if they cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(f"{path}: cannot be created: {error.strerror}") from None


def write_sound(path: Path, sound: Sound, rate_hz: int) -> None:
    """Write a mono sound [frames] as a 32-bit float WAV file, atomically.

    Raises: FolderError.
    """
    try:
        with replacing(path) as draft:
            soundfile.write(draft, sound, rate_hz, subtype="FLOAT", format="WAV")
    except (OSError, soundfile.LibsndfileError) as error:
        raise FolderError(f"{path}: cannot be written: {error}") from None


def write_json(path: Path, content: object) -> None:
    """Write a JSON document, atomically.

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
    made: Mapping[str, object],
    defaults: Mapping[str, float] | None = None,
) -> None:
    """Write the manifest that `trainer.data` reads.

    `made` records how the data set was generated; `defaults` holds default positions of knobs. A
    knob that is constant over the data set cannot be an input of a model, so that its position is
    stored in `made` only.

    Raises: FolderError.
    """
    turned = [knob for knob in knobs if len({pair["knobs"][knob] for pair in pairs}) > 1]
    still = {knob: pairs[0]["knobs"][knob] for knob in knobs if knob not in turned}
    listed = [{**pair, "knobs": {knob: pair["knobs"][knob] for knob in turned}} for pair in pairs]
    content: dict[str, object] = {"name": name, "knobs": turned}
    if stated := {knob: defaults[knob] for knob in turned if defaults and knob in defaults}:
        content["defaults"] = stated
    content |= {"align": False, "lag": 0, "pairs": listed, "made": {**made, STILL: still}}
    write_json(folder / MANIFEST, content)


def claim(
    folder: Path, is_ours: Callable[[Path], bool]
) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    """Create a data set folder, or return the pairs and `made` of the data set it already holds.

    Returned pairs state the positions of all knobs. Returns None for a folder without a data set.
    Without a manifest, `is_ours` returns whether a recording is from a run that was killed before
    it wrote one.

    Raises: FolderError for a folder with recordings or a manifest that this program did not write:
        the new manifest would hide the recordings, and another manifest would hide the new one.
    """
    open_folder(folder)
    try:
        others = [name for name in MANIFESTS if name != MANIFEST and (folder / name).exists()]
        if not others and (folder / MANIFEST).exists():
            return _read_pairs(folder / MANIFEST)
        sounds = [sound for sound in _sounds(folder) if not is_ours(sound)]
    except OSError as error:
        raise FolderError(f"{folder}: cannot be read: {error.strerror}") from None
    names = others + [str(sound.relative_to(folder)) for sound in sounds]
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        raise FolderError(
            f"{folder}: already holds another data set ({', '.join(names[:NAMED])}{more}); "
            "choose another folder"
        )
    return None


def is_sound(path: Path, sound: Sound, rate_hz: int) -> bool:
    """Return whether a file holds exactly this mono sound [frames] at this sample rate."""
    try:
        there, rate = soundfile.read(path, dtype="float32")
    except (OSError, soundfile.LibsndfileError):
        return False
    return bool(rate == rate_hz and np.array_equal(there, sound))


def _sounds(folder: Path) -> list[Path]:
    """Return the recordings in a folder and in its sub-folders named after splits."""
    found: list[Path] = []
    for below in listed(folder):
        if below.is_dir() and below.name.lower() in SPLIT_WORDS:
            found += [file for file in listed(below) if _is_recording(file)]
        elif _is_recording(below):
            found.append(below)
    return found


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() in SOUND_ENDINGS and path.is_file()


def _read_pairs(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        made = dict(content["made"])
        still = dict(made[STILL])
        pairs = [{**pair, "knobs": {**still, **pair["knobs"]}} for pair in content["pairs"]]
    except (OSError, ValueError, TypeError, KeyError):
        raise FolderError(
            f"{path}: already holds another data set; choose another folder"
        ) from None
    return pairs, made
