"""Snapshots: positions within a preset that take effect at once. Thread: control."""

from collections.abc import Callable, Mapping

from nemod.chain import Chain
from nemod.control.errors import Code, ControlError
from nemod.control.events import Source
from nemod.control.settings import Settings
from nemod.parameters.parameter_set import ParameterSet, moved_positions
from nemod.presets.preset import MAX_SNAPSHOTS

Sound = Mapping[str, float]
"""Positions by canonical path."""


class Snapshots:
    """The snapshots of the current preset, saved with it or not yet."""

    def __init__(
        self, settings: Settings, commit: Callable[[], None], *, on_save: Callable[[Source], None]
    ) -> None:
        """`commit` has the settings take effect.

        `on_save` is called when a snapshot was taken, which is not yet in the preset's file.
        """
        self._settings = settings
        self._commit = commit
        self._on_save = on_save
        self._sounds: dict[int, Sound] = {}
        self._parameters = settings.parameters
        """Those of the chain whose paths the snapshots have."""

    def all(self) -> dict[int, Sound]:
        """Return all snapshots by number."""
        return dict(self._sounds)

    def use(self, sounds: Mapping[int, Sound]) -> None:
        """Replace all snapshots, by those of a preset with the present chain.

        Positions that this chain does not have are left out: a session may be of another one.
        """
        self._parameters = self._settings.parameters
        self._sounds = {number: _known(sound, self._parameters) for number, sound in sounds.items()}

    def follow_chain(self, chain: Chain, renamed: Mapping[str, str]) -> None:
        """Have the positions stay with their slots in another chain.

        `renamed`: new names of slots by their names before.
        """
        before, self._parameters = self._parameters, ParameterSet(chain)
        self._sounds = {
            number: moved_positions(_known(sound, before), before, chain, renamed)
            for number, sound in self._sounds.items()
        }

    def get(self, number: int) -> Sound:
        """Return a snapshot. Raises: ControlError `not_found`."""
        self.check(number)
        sound = self._sounds.get(number)
        if sound is None:
            text = f"snapshot {number} was never saved in this preset"
            raise ControlError(Code.NOT_FOUND, str(number), text)
        return sound

    def load(self, number: int, source: Source) -> None:
        """Recall the positions of a snapshot, in one audio block.

        Raises: ControlError `not_found`.
        """
        sound = self.get(number)
        self._settings.recall(sound, source)
        self._commit()

    def save(self, number: int, source: Source) -> None:
        """Take the present positions as a snapshot; saving the preset writes it to the file.

        Raises: ControlError `not_found`.
        """
        self.check(number)
        self._sounds[number] = self._settings.sound()
        self._on_save(source)

    @staticmethod
    def check(number: int) -> None:
        """Raise ControlError `not_found` for a number that no snapshot can have."""
        if not 0 <= number < MAX_SNAPSHOTS:
            text = f"no snapshot has number {number}; they are 0..{MAX_SNAPSHOTS - 1}"
            raise ControlError(Code.NOT_FOUND, str(number), text)


def _known(sound: Sound, parameters: ParameterSet) -> Sound:
    """Return the positions of a sound without those whose paths do not exist."""
    return {path: position for path, position in sound.items() if _is_known(path, parameters)}


def _is_known(path: str, parameters: ParameterSet) -> bool:
    try:
        parameters.key(path)
    except KeyError:
        return False
    return True
