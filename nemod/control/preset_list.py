"""The list of presets: found by number and name, and where a new one goes. Thread: control."""

from collections.abc import Callable, Iterable, Sequence

from nemod.common.names import fold
from nemod.control.backends import PresetStore
from nemod.control.errors import Code, ControlError
from nemod.control.similar_names import similar_name
from nemod.presets.preset import MAX_NAME, MAX_PRESETS, Preset, PresetEntry, name_problem

FIRST_NAME = "Preset"
"""Name of a preset that is saved without one."""


class PresetList:
    """All presets that there are."""

    def __init__(self, store: PresetStore) -> None:
        self._store = store
        self._reserved: list[tuple[int, str]] = []
        """Numbers and names of presets that are being written."""

    @property
    def entries(self) -> Sequence[PresetEntry]:
        """All presets, by number."""
        return self._store.entries()

    def find(self, which: str | int) -> int:
        """Return the number of a preset, by name in any case or by number.

        Raises: ControlError `not_found`.
        """
        entries = self.entries
        for entry in entries:
            if entry.number == which if isinstance(which, int) else entry.name == which:
                return entry.number
        if isinstance(which, int):
            numbers = ", ".join(str(entry.number) for entry in entries)
            text = f"no preset has number {which}; there are {numbers or 'none'}"
            raise ControlError(Code.NOT_FOUND, str(which), text)
        folded = fold(which)
        for entry in entries:
            if fold(entry.name) == folded:
                return entry.number
        raise ControlError(
            Code.NOT_FOUND,
            which[:120],
            f"no preset is named {which[:120]!r}",
            lambda: similar_name(which, [entry.name for entry in entries]),
        )

    def get(self, which: str | int) -> Preset:
        """Return a preset by name or number. Raises: ControlError `not_found`."""
        number = self.find(which)
        try:
            return self._store.get(number)
        except KeyError:
            raise ControlError(Code.NOT_FOUND, str(which), "the preset was deleted") from None

    def peek(self, number: int) -> Preset | None:
        """Return a preset by number, or None. Thread: any."""
        try:
            return self._store.get(number)
        except KeyError:
            return None

    def neighbour(self, start: int, step: int) -> int | None:
        """Return the number after `start` (`step` 1) or before it (-1), around the list.

        `start` -1 stands before the first. None where there are no presets.
        """
        numbers = [entry.number for entry in self.entries]
        beyond = [number for number in numbers if (number - start) * step > 0]
        if step > 0:
            return min(beyond or numbers, default=None)
        return max(beyond or numbers, default=None)

    def place(self, where: str | int | None, current: int | None, name: str) -> tuple[int, str]:
        """Return number and name under which a preset is to be saved.

        `where`: see `Presets.save`. `current` and `name`: those of the current preset, if any.

        Raises: ControlError.
        """
        names = dict(self._numbers_and_names())
        if isinstance(where, int):
            if not 0 <= where < MAX_PRESETS:
                text = f"no preset can have number {where}; they are 0..{MAX_PRESETS - 1}"
                raise ControlError(Code.NOT_FOUND, str(where), text)
            return where, names.get(where) or free_name(names.values(), name)
        if where is None:
            return self.free(name) if current is None else (current, name)
        for number, known in names.items():
            if fold(known) == fold(where):
                return number, known
        self.check_name(where, None)
        return free_number(names), where

    def free(self, name: str) -> tuple[int, str]:
        """Return a free number, and the name or one like it that no preset has.

        Raises: ControlError `limit`.
        """
        names = dict(self._numbers_and_names())
        return free_number(names), free_name(names.values(), name)

    def reserve(self, number: int, name: str) -> Callable[[], None]:
        """Give number and name to a preset that is being written, so that no other takes them.

        Returns what ends the reservation.
        """
        taken = number, name
        self._reserved.append(taken)
        return lambda: self._reserved.remove(taken)

    def _numbers_and_names(self) -> list[tuple[int, str]]:
        return [*((entry.number, entry.name) for entry in self.entries), *self._reserved]

    def check_name(self, name: str, number: int | None) -> None:
        """Raise ControlError where a name is unusable, or that of another preset."""
        problem = name_problem(name)
        if problem:
            raise ControlError(Code.VALUE, name[:120], problem)
        for other, known in self._numbers_and_names():
            if other != number and fold(known) == fold(name):
                text = f"preset {other} is named {known!r} already"
                raise ControlError(Code.VALUE, name, text)


def free_name(names: Iterable[str], base: str) -> str:
    """Return a name for a new preset that no other one has."""
    taken = {fold(name) for name in names}
    base = base or FIRST_NAME
    name, count = base, 2
    while fold(name) in taken:
        name = f"{base[: MAX_NAME - 4]} {count}"
        count += 1
    return name


def free_number(taken: Iterable[int]) -> int:
    """Return the lowest number that is not taken. Raises: ControlError `limit`."""
    used = set(taken)
    for number in range(MAX_PRESETS):
        if number not in used:
            return number
    raise ControlError(Code.LIMIT, "", f"all {MAX_PRESETS} presets are taken; save over one")
