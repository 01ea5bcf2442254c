"""Similar names, for errors about names that do not exist."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from nemod.common.names import fold, natural_key

LONGEST_HINT = 64
"""[characters] Longer names get no "did you mean": comparing costs more than it helps."""
_CANDIDATES = 32
"""Names on either side among which a similar one is looked for."""


def similar_name(given: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` for the most similar known name in any case, or nothing."""
    if len(given) > LONGEST_HINT:
        return ""
    names = {name.casefold(): name for name in known}
    near = get_close_matches(given.casefold(), names, n=1, cutoff=0.6)
    return f", did you mean {names[near[0]]!r}?" if near else ""


def names_around(names: Sequence[str], given: str) -> list[str]:
    """Return the names next to where this one would stand, and those that contain it.

    `names`: in natural order.
    """
    folded = fold(given)
    place = bisect_left(names, natural_key(given), key=natural_key)
    near = list(names[max(place - _CANDIDATES, 0) : place + _CANDIDATES])
    return near + [name for name in names if folded in fold(name)][:_CANDIDATES]
