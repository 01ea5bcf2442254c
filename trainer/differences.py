"""Describes how two trees of JSON values differ."""

from collections.abc import Mapping

LONGEST = 24
"""[characters] Longer texts, such as digests, are shortened in messages."""


def differences(was: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return a description of each difference, such as `recipe.hidden 20, not 40`.

    The first value is that of `was`, the second that of `now`.
    """
    found = []
    for name in dict.fromkeys((*now, *was)):
        if name not in was:
            found.append(f"{name} is missing, but now is {_shown(now[name])}")
        elif name not in now:
            found.append(f"{name} {_shown(was[name])}, which is unknown here")
        elif isinstance(before := was[name], Mapping) and isinstance(after := now[name], Mapping):
            found += [f"{name}.{each}" for each in differences(before, after)]
        elif was[name] != now[name]:
            found.append(f"{name} {_shown(was[name])}, not {_shown(now[name])}")
    return found


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST or not isinstance(value, str) else f"'{value[:12]}..'"
