"""What the libraries of models and of cabinets have in common: finding by name, and stepping."""

from collections.abc import Sequence

from nemod.common.names import fold
from nemod.control.errors import Code, ControlError
from nemod.control.similar_names import names_around, similar_name


def find_name(names: Sequence[str], given: str | int, noun: str) -> str:
    """Return a name as the library spells it, by name in any case or by index.

    `noun`: what one of the library is called.

    Raises: ControlError `not_found`, also for a name with a path separator.
    """
    if isinstance(given, int):
        if 0 <= given < len(names):
            return names[given]
        known = f"there are {len(names)}, counted from 0" if names else "there are none"
        raise ControlError(Code.NOT_FOUND, str(given), f"no {noun} number {given}, {known}")
    if "/" not in given and "\\" not in given:
        if given in names:
            return given
        folded = fold(given)
        for name in names:
            if fold(name) == folded:
                return name
    raise ControlError(
        Code.NOT_FOUND,
        given[:120],
        f"no {noun} named {given[:120]!r} among {len(names)}",
        lambda: similar_name(given, names_around(names, given)),
    )


def names_from(names: Sequence[str], start: str, step: int) -> list[str]:
    """Return all names in the order in which steps of 1 or -1 reach them, around the list.

    A `start` that is not in the list stands before the first for a step of 1, and else after the
    last.
    """
    place = names.index(start) if start in names else (-1 if step > 0 else 0)
    return [names[(place + step * count) % len(names)] for count in range(1, len(names) + 1)]
