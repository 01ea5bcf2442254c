"""Lists and finds files regardless of hidden files and Unicode forms.

Hidden files are ignored: macOS writes `._NAME` beside each file that it copies to a file system
of another kind, and `.DS_Store` into each folder. Names are compared in Unicode's composed form
(NFC), because macOS stores them decomposed (NFD).
"""

from pathlib import Path

from nemod.common.names import natural_key, normal


def listed(folder: Path) -> list[Path]:
    """Return the files and folders in a folder that are not hidden, in natural order of names.

    Raises: OSError.
    """
    paths = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(paths, key=lambda path: natural_key(path.name))


def existing(path: Path) -> Path:
    """Return the path of an existing file whose name differs only in its Unicode form.

    Returns `path` itself if it exists, or if there is no such file.
    """
    if path.exists() or path == path.parent:
        return path
    folder = existing(path.parent)
    if not folder.is_dir():
        return path
    names = (one for one in folder.iterdir() if normal(one.name) == normal(path.name))
    return next(names, path)
