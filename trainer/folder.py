"""Data sets that the program itself makes: sounds and manifest, each file whole or not at all."""

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
from trainer.data.layouts import MANIFESTS, SOUND_ENDINGS
from trainer.data.plan import SPLIT_WORDS

MANIFEST = "manifest.json"
NUMBERED = re.compile(r"\d{3,}_(train|validation|test)(_.*)?-(input|target)\.wav")
"""What the files of a set are named that the program numbers."""
NAMED = 3
"""So many of the files in the way are named in a message."""
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


def claim(
    folder: Path, is_ours: Callable[[Path], bool]
) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    """Make the folder; return the pairs of the set that the program began there, and how.

    Pairs have all knobs. None where no set is. Without a manifest, `is_ours` says of a recording
    whether it is of a beginning that was killed before the manifest was written.
    Raises: FolderError for a folder that holds recordings or a manifest that this program did not
    write: the manifest to be written would hide the ones, and be hidden by the other.
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
            f"{folder}: another data set is there already ({', '.join(names[:NAMED])}{more}); "
            "choose another folder"
        )
    return None


def is_sound(path: Path, sound: Sound, rate_hz: int) -> bool:
    """Return whether a file holds exactly this mono sound [frames] at this rate."""
    try:
        there, rate = soundfile.read(path, dtype="float32")
    except (OSError, soundfile.LibsndfileError):
        return False
    return bool(rate == rate_hz and np.array_equal(there, sound))


def _sounds(folder: Path) -> list[Path]:
    """Return the recordings in a folder, and in its sub-folders that are named as splits."""
    found: list[Path] = []
    for below in sorted(folder.iterdir()):
        if below.is_dir() and below.name.lower() in SPLIT_WORDS:
            found += [file for file in sorted(below.iterdir()) if _is_recording(file)]
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
            f"{path}: another data set is there already; choose another folder"
        ) from None
    return pairs, made
