"""The presets of a folder, in memory; what is saved is on the disk before it is in memory.

A preset's file is `NNN.yaml` by its number, so a new name is one atomic replacement of the file.
The version before it is `previous/NNN.yaml`. All other files of the folder are left alone.
"""

import os
import re
import threading
from pathlib import Path

import structlog

from nemod.common.files import flush_folder, replacing
from nemod.common.kept_files import DamagedFileError, move_aside, read_kept
from nemod.presets.folders import factory_folder
from nemod.presets.preset import (
    MAX_BYTES,
    MAX_PRESETS,
    Preset,
    PresetEntry,
    PresetError,
    name_problem,
)
from nemod.presets.reader import parse
from nemod.presets.writer import to_text

PREVIOUS = "previous"
"""Folder of the versions before the last change."""
_FILE = re.compile(r"[0-9]{3}\.yaml", re.ASCII)

log = structlog.get_logger("nemod")


class PresetStore:
    """Presets by number: those of the user's folder, and the factory's where the user has none.

    Thread: any. `rescan`, `save` and `delete` use the disk, one at a time; all else is read from
    memory and never waits for the disk.
    """

    def __init__(
        self, folder: Path | None, *, factory: Path | None = None, moves_damaged: bool = True
    ) -> None:
        """Read all presets of both folders; `folder` need not exist.

        `folder` None keeps the user's presets in memory only. `factory` None is the folder of the
        presets that ship with nemod. `moves_damaged` False leaves a damaged file where it is,
        until another preset is saved in its place.
        """
        self.folder = folder
        self.notes: tuple[str, ...] = ()
        """The files that could not be read and why."""
        self._factory_folder = factory or factory_folder()
        self._moves_damaged = moves_damaged
        self._user: dict[int, Preset] = {}
        self._factory: dict[int, Preset] = {}
        self._maps = threading.Lock()
        self._disk = threading.Lock()
        self.rescan()

    # --- from memory -----------------------------------------------------------------------------

    def entries(self) -> list[PresetEntry]:
        """Return all presets by number."""
        with self._maps:
            presets = self._factory | self._user
            own = set(self._user)
        return [
            PresetEntry(number, preset.name, number not in own)
            for number, preset in sorted(presets.items())
        ]

    def get(self, number: int) -> Preset:
        """Return a preset. Raises: KeyError."""
        with self._maps:
            own = self._user.get(number)
            return self._factory[number] if own is None else own

    # --- with the disk ---------------------------------------------------------------------------

    def rescan(self) -> None:
        """Read all files again; one of the user's that cannot be parsed is moved aside.

        What was in memory stays where the disk fails.
        """
        with self._disk:
            notes: list[str] = []
            factory = _read_folder(self._factory_folder, self._factory, notes, may_move=False)
            user = self._user
            if self.folder is not None:
                user = _read_folder(self.folder, user, notes, may_move=self._moves_damaged)
            with self._maps:
                self._factory, self._user = factory, user
            self.notes = tuple(notes)

    def save(self, number: int, preset: Preset) -> None:
        """Keep a preset under a number; the version before it is kept as the previous one.

        Raises: OSError, PresetError; nothing has changed then.
        """
        if not 0 <= number < MAX_PRESETS:
            raise PresetError(f"{number}: presets have numbers from 0 to {MAX_PRESETS - 1}")
        if problem := name_problem(preset.name):
            raise PresetError(f"{preset.name!r}: {problem}")
        text = to_text(preset)
        with self._disk:
            if self.folder is not None:
                _write(self.folder, number, text)
            with self._maps:
                self._user[number] = preset

    def delete(self, number: int) -> None:
        """Remove a preset of the user; its file becomes the previous version.

        Raises: KeyError where there is none, PresetError for a factory preset, OSError.
        """
        with self._disk:
            with self._maps:
                is_own, is_factory = number in self._user, number in self._factory
            if not is_own:
                if is_factory:
                    raise PresetError(f"preset {number} ships with nemod and cannot be removed")
                raise KeyError(number)
            if self.folder is not None:
                _remove(self.folder, number)
            with self._maps:
                del self._user[number]


def _read_folder(
    folder: Path, known: dict[int, Preset], notes: list[str], *, may_move: bool
) -> dict[int, Preset]:
    """Return the presets in a folder; what cannot be read is logged and added to `notes`.

    `known` are those of the last time, for what the disk fails to give.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if _FILE.fullmatch(name))
    except FileNotFoundError:
        return {}
    except OSError as error:
        _note(notes, folder, error.strerror or str(error))
        return known
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


def _note(notes: list[str], path: Path, reason: str, moved: str = "") -> None:
    log.warning("preset not read", file=str(path), reason=reason, moved=moved or None)
    notes.append(f"{path}: {reason}{f'; moved to {moved}' if moved else ''}")


def _moved(path: Path) -> str:
    """Move a damaged file aside and return its new name; empty where that fails."""
    try:
        return move_aside(path).name
    except OSError as error:
        log.warning("damaged preset not moved aside", file=str(path), reason=error.strerror)
        return ""


def _write(folder: Path, number: int, text: str) -> None:
    """Replace a preset's file, and before it the previous version. Raises: OSError."""
    path = folder / _name(number)
    data = text.encode()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        before = read_kept(path, MAX_BYTES).encode()
    except FileNotFoundError:
        before = None
    except DamagedFileError:
        move_aside(path)
        before = None
    if before == data:
        return
    if before is not None:
        previous = folder / PREVIOUS / path.name
        previous.parent.mkdir(exist_ok=True)
        with replacing(previous) as draft:
            draft.write_bytes(before)
    with replacing(path) as draft:
        draft.write_bytes(data)


def _remove(folder: Path, number: int) -> None:
    """Make a preset's file the previous version; one that is gone already is no error."""
    path = folder / _name(number)
    if not os.path.lexists(path):
        return
    previous = folder / PREVIOUS / path.name
    previous.parent.mkdir(exist_ok=True)
    path.replace(previous)
    flush_folder(previous.parent)
    flush_folder(folder)


def _name(number: int) -> str:
    return f"{number:03d}.yaml"
