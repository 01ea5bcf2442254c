"""Formats the command line for published files, without private paths."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path


def redact_paths(words: Sequence[str], paths: Iterable[Path | None]) -> str:
    """Return a command line in which each of the `paths` is only its last component.

    A published model must not disclose where its author keeps recordings.
    """
    names = {path: path.name or str(path) for path in paths if path is not None}
    words_out = []
    for word in words:
        # An option and its path may be one word: --out=runs/a.
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        words_out.append(option + equals + (names.get(Path(value), value) if value else ""))
    return shlex.join(words_out)
