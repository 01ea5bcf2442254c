"""The presets in memory; what is saved is on the disk before it is in memory."""

import threading
from pathlib import Path

from nemod.presets import disk
from nemod.presets.folders import factory_folder
from nemod.presets.preset import MAX_PRESETS, Preset, PresetEntry, PresetError, name_problem
from nemod.presets.writer import to_text


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
            factory = disk.read_folder(self._factory_folder, self._factory, notes, may_move=False)
            user = self._user
            if self.folder is not None:
                user = disk.read_folder(self.folder, user, notes, may_move=self._moves_damaged)
            with self._maps:
                self._factory, self._user = factory, user
            self.notes = tuple(notes)

    def save(self, number: int, preset: Preset) -> None:
        """Keep a preset under a number; the version before it is kept as the previous one.

        Where another program has put a preset there since the last `rescan`, it is read now, and
        not replaced.

        Raises: OSError, PresetError; nothing has changed on the disk then.
        """
        if not 0 <= number < MAX_PRESETS:
            raise PresetError(f"{number}: presets have numbers from 0 to {MAX_PRESETS - 1}")
        if problem := name_problem(preset.name):
            raise PresetError(f"{preset.name!r}: {problem}")
        text = to_text(preset)
        try:
            self._save(number, preset, text)
        except PresetError:
            self.rescan()
            raise

    def _save(self, number: int, preset: Preset, text: str) -> None:
        with self._disk:
            with self._maps:
                known = self._user.get(number)
            if self.folder is not None:
                disk.write(self.folder, number, text, known)
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
                disk.remove(self.folder, number)
            with self._maps:
                del self._user[number]
