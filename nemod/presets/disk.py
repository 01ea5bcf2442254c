"""The files of presets in one folder.

A preset's file is `NNN.yaml` by its number, so a new name is one atomic replacement of the file.
The version before it is `previous/NNN.yaml`. All other files of the folder are left alone.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from nemod.common.files import flush_folder, replacing
from nemod.common.kept_files import DamagedFileError, move_aside, read_kept
from nemod.presets.preset import MAX_BYTES, MAX_PRESETS, Preset, PresetError
from nemod.presets.reader import parse
from nemod.presets.writer import to_text

PREVIOUS = "previous"
"""Folder of the versions before the last change."""
_FILE = re.compile(r"[0-9]{3}\.yaml", re.ASCII)


def read_folder(
    folder: Path, known: Mapping[int, Preset], notes: list[str], *, may_move: bool
) -> dict[int, Preset]:
    """Return the presets in a folder; what cannot be read is logged and added to `notes`.

    `known` are those of the last time, for what the disk fails to give. `may_move`: a damaged file
    is moved aside.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if _FILE.fullmatch(name))
    except FileNotFoundError:
        return {}
    except OSError as error:
        _note(notes, folder, error.strerror or str(error))
        return dict(known)
    presets: dict[int, Preset] = {}
    for name in names:
        number, path = int(name[:3]), folder / name
        if number >= MAX_PRESETS:
            continue
        try:
            presets[number] = parse(read_kept(path, MAX_BYTES), f"Preset {number}", path)
        except FileNotFoundError:
            continue  # removed meanwhile, or a link to nothing
        except DamagedFileError as error:
            _note(notes, path, str(error), _moved(path) if may_move else "")
        except OSError as error:
            _note(notes, path, error.strerror or str(error))
            if number in known:
                presets[number] = known[number]
    return presets


def write(folder: Path, number: int, text: str, known: Preset | None) -> None:
    """Replace a preset's file, and before it the previous version.

    A file that is neither `known` nor any other preset is damaged, and moved aside.

    Raises: OSError; PresetError where no preset is known but there is one, from another program.
    """
    path = folder / _name(number)
    _make_folder(folder)
    before = ""
    try:
        before = read_kept(path, MAX_BYTES)
        if known is None or before != to_text(known):
            parse(before, "", path)
            if known is None and before != text:
                raise PresetError(f"{path} is the preset of another program; nothing was saved")
    except FileNotFoundError:
        pass
    except DamagedFileError:
        move_aside(path)
        before = ""
    if before == text:
        return
    if before:
        _make_folder(folder / PREVIOUS)
        _replace(folder / PREVIOUS / path.name, before)
    _replace(path, text)


def remove(folder: Path, number: int) -> None:
    """Make a preset's file the previous version. Raises: OSError.

    A file that is gone already is no error.
    """
    path = folder / _name(number)
    if os.path.lexists(path):
        _make_folder(folder / PREVIOUS)
        path.replace(folder / PREVIOUS / path.name)
        flush_folder(folder / PREVIOUS)
        flush_folder(folder)


def _name(number: int) -> str:
    return f"{number:03d}.yaml"


def _replace(path: Path, text: str) -> None:
    with replacing(path) as draft:
        draft.write_bytes(text.encode())
        _give_to_owner(draft)


def _make_folder(folder: Path) -> None:
    """Make a folder with its parents, so that they survive a power cut."""
    for level in (*reversed(folder.parents), folder):
        if not level.is_dir():
            level.mkdir(exist_ok=True)
            _give_to_owner(level)
            flush_folder(level.parent)


def _give_to_owner(path: Path) -> None:
    """Give what root made in another user's folder to that user, who must be able to change it.

    A service has a user of its own; `sudo nemod presets` changes its folder as root.
    """
    if os.name == "posix" and os.geteuid() == 0:
        owner = path.parent.stat()
        with suppress(OSError):  # not every file system has owners
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _note(notes: list[str], path: Path, reason: str, moved: str = "") -> None:
    _warn("preset not read", file=str(path), reason=reason, moved=moved or None)
    notes.append(f"{path}: {reason}{f'; moved to {moved}' if moved else ''}")


def _moved(path: Path) -> str:
    """Move a damaged file aside and return its new name; empty where that fails."""
    try:
        return move_aside(path).name
    except OSError as error:
        _warn("damaged preset not moved aside", file=str(path), reason=error.strerror)
        return ""


def _warn(event: str, **facts: object) -> None:
    structlog.get_logger("nemod").warning(event, **facts)
