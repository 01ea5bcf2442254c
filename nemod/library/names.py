"""The names of models: a file's stem, with its folder in front where two are alike."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from nemod.library.text import is_fit

JOIN = "-"
"""Between folder and stem; never a path separator, so no name looks like a path."""


def name_files(paths: Iterable[Path]) -> tuple[dict[str, Path], list[Path]]:
    """Return files by name, sorted without regard to case, and the files that no name fits.

    Names are unique without regard to case. A stem that only one file has is that file's name
    whatever the others are called. Left out is what has a control character or a path separator.
    """
    files = list(dict.fromkeys(paths))
    stems = Counter(_stem(path).casefold() for path in files)
    alone = [path for path in files if stems[_stem(path).casefold()] == 1]
    alike = [path for path in files if stems[_stem(path).casefold()] > 1]
    named: dict[str, Path] = {}
    taken: set[str] = set()
    unfit: list[Path] = []
    for path in [*alone, *alike]:
        stem = _stem(path)
        name = stem if stems[stem.casefold()] == 1 else f"{_normal(path.parent.name)}{JOIN}{stem}"
        if not is_name(name) or not _encodes(str(path)):
            unfit.append(path)
            continue
        number, unique = 2, name
        while unique.casefold() in taken:
            unique, number = f"{name}{JOIN}{number}", number + 1
        taken.add(unique.casefold())
        named[unique] = path
    in_order = sorted(named.items(), key=lambda item: (item[0].casefold(), item[0]))
    return dict(in_order), unfit


def is_name(text: str) -> bool:
    """Whether a text can be a model's name."""
    return bool(text.strip()) and "/" not in text and "\\" not in text and is_fit(text)


def _encodes(text: str) -> bool:
    """Whether a path is text; Linux allows any bytes, a database and a phone do not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stem(path: Path) -> str:
    return _normal(path.stem)


def _normal(text: str) -> str:
    # Files from macOS spell an accent as a character of its own; keyboards and phones do not.
    return unicodedata.normalize("NFC", text)
