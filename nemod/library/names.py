"""The names of models: a file's stem, with its folder in front where two are alike."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from nemod.common.names import fold, natural_key, normal
from nemod.library.text import is_fit

JOIN = "-"
"""Between folder and stem; never a path separator, so no name looks like a path."""


def name_files(paths: Iterable[Path]) -> tuple[dict[str, Path], list[Path]]:
    """Return files by name in natural order, and the files that no name fits.

    Names are unique without regard to case. A stem that only one file has is that file's name,
    whatever the others are called. A file whose name would hold a control character or a path
    separator is left out.
    """
    files = list(dict.fromkeys(paths))
    stems = Counter(fold(path.stem) for path in files)
    alone = [path for path in files if stems[fold(path.stem)] == 1]
    alike = [path for path in files if stems[fold(path.stem)] > 1]
    named: dict[str, Path] = {}
    taken: set[str] = set()
    unfit: list[Path] = []
    for path in [*alone, *alike]:
        stem = normal(path.stem)
        name = stem if stems[fold(stem)] == 1 else f"{normal(path.parent.name)}{JOIN}{stem}"
        if not is_name(name) or not _encodes(str(path)):
            unfit.append(path)
            continue
        number, unique = 2, name
        while fold(unique) in taken:
            unique, number = f"{name}{JOIN}{number}", number + 1
        taken.add(fold(unique))
        named[unique] = path
    return {name: named[name] for name in sorted(named, key=natural_key)}, unfit


def is_name(text: str) -> bool:
    """Return whether a text can be a model's name."""
    return bool(text.strip()) and "/" not in text and "\\" not in text and is_fit(text)


def _encodes(text: str) -> bool:
    """Return whether a path is text; Linux allows any bytes, a database and a phone do not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
