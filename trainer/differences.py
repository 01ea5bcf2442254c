"""What is not the same in two descriptions of one thing, in words."""

from collections.abc import Mapping
from typing import Any

LONGEST = 24
"""Characters of a value that are shown whole; a digest is told by its first."""


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return all that differs between two trees of JSON values, as `recipe.hidden 20, not 40`.

    The first value is what `was`, the second what is given `now`.
    """
    found = []
    for name in dict.fromkeys((*now, *was)):
        if name not in was:
            found.append(f"{name} not stated, and now {_shown(now[name])}")
        elif name not in now:
            found.append(f"{name} {_shown(was[name])}, which is not known here")
        elif isinstance(was[name], Mapping) and isinstance(now[name], Mapping):
            found += [f"{name}.{each}" for each in differences(was[name], now[name])]
        elif was[name] != now[name]:
            found.append(f"{name} {_shown(was[name])}, not {_shown(now[name])}")
    return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST or not isinstance(value, str) else f"'{value[:12]}..'"
