"""The command line, as it is written into what others get to see."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path


def redact_paths(words: Sequence[str], paths: Iterable[Path | None]) -> str:
    """Return a command line in which each of the `paths` is only its last component.

    Where somebody keeps recordings is no business of those who play the model.
    """
    names = {path: path.name or str(path) for path in paths if path is not None}
    told = []
    for word in words:
        # An option and its path may be one word: --out=runs/a.
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        told.append(option + equals + (names.get(Path(value), value) if value else ""))
    return shlex.join(told)
