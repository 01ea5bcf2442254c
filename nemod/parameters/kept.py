"""Positions of parameters as they are read from a file."""

from collections.abc import Callable, Mapping

from nemod.common.kept_files import Skipped


def read_positions(
    tree: Mapping[str, object],
    canonical: Callable[[str], str],
    skipped: Skipped,
    key: str = "positions",
) -> tuple[dict[str, float], list[str]]:
    """Return positions by canonical path, and the paths that are not known.

    `canonical` returns the canonical path of a known one. Raises: KeyError for others. A position
    under its canonical path wins over one under another path of the same parameter. What is no
    position is skipped; `key` is where in the file the tree is.
    """
    found: dict[str, float] = {}
    unknown: list[str] = []
    for path, value in tree.items():
        try:
            known = canonical(path)
        except KeyError:
            unknown.append(path)
            continue
        position = skipped.fraction(f"{key}.{path}", value)
        if position is not None and (known == path or known not in tree):
            found[known] = position
    return found, unknown
