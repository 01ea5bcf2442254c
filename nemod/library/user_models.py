"""Adds models to the user's own folder, and removes them from it."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from nemod.common.errors import ModelError, NotFoundError
from nemod.common.files import replacing
from nemod.common.names import fold
from nemod.formats import load_model
from nemod.formats.dialects import SUFFIXES
from nemod.library.entry import LibraryError
from nemod.library.facts import content_hash
from nemod.library.folders import is_hidden, real, removed_folder, user_folder
from nemod.library.library import Library
from nemod.library.names import is_name


class Added(NamedTuple):
    """The result of adding a file."""

    name: str
    path: Path
    is_new: bool
    """False if the same content was in the library already, under this name."""


def add(library: Library, source: Path, *, verify: Callable[[Path], object] = load_model) -> Added:
    """Copy a model into the user's folder, unless the library has the same content already.

    `verify` raises ModelError for a file that cannot be played.

    Raises: ModelError when the file is no model, or its name is taken or not allowed.
        LibraryError when it cannot be copied.
    """
    if source.suffix.lower() not in SUFFIXES:
        raise ModelError(str(source), f"a model's file is named {', '.join(SUFFIXES)}")
    if is_hidden(source.name):
        raise ModelError(str(source), "a hidden file; the library ignores these")
    if not is_name(source.stem):
        raise ModelError(
            ascii(str(source)),
            "not allowed as a model's name: rename the file, without control characters and \\",
        )
    verify(source)
    same = content_hash(source)
    for entry in library.entries():
        if entry.facts.sha256 == same:
            return Added(entry.name, entry.path, False)
    target = user_folder() / source.name
    if _stem(target) in _stems(user_folder()) or os.path.lexists(target):
        raise ModelError(
            str(source), f"another model is named {target.stem!r} in {target.parent}; rename one"
        )
    _copy(source, target)
    library.look()
    return Added(library.name_of(target), real(target), True)


def remove(library: Library, name: str) -> tuple[str, Path]:
    """Move a model out of the user's folder; return its name and its new path.

    Raises: NotFoundError when there is no such model, or it is not the user's own; LibraryError.
    """
    known, path = library.find(name)
    own = real(user_folder())
    if not path.is_relative_to(own):
        raise NotFoundError(
            f"{known!r} is {path}; only models in your own folder, {own}, can be removed"
        )
    folder = removed_folder()
    target, number = folder / path.name, 2
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while os.path.lexists(target):
            target, number = folder / f"{path.stem}-{number}{path.suffix}", number + 1
        shutil.move(path, target)
    except OSError as error:
        raise LibraryError(
            f"{path} cannot be moved to {target}: {error.strerror or error}"
        ) from None
    library.look()
    with suppress(LibraryError):  # the next scan removes it
        library.index.drop([path])
    return known, target


def _stem(path: Path) -> str:
    return fold(path.stem)


def _stems(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    return {_stem(path) for path in files if not is_hidden(path.name)}


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that the target is complete or absent, and nothing is overwritten."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target, mode=0o644, only_if_absent=True) as draft:
            shutil.copyfile(source, draft)
    except OSError as error:
        raise LibraryError(
            f"{source} cannot be copied to {target}: {error.strerror or error}"
        ) from None
