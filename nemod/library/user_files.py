"""Adds files to the user's own folder of a library, and removes them from it."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from nemod.common.errors import CabinetError, ModelError, NotFoundError
from nemod.common.files import replacing
from nemod.common.names import fold
from nemod.formats import load_model
from nemod.library.entry import LibraryError
from nemod.library.facts import content_hash
from nemod.library.folders import is_hidden, real
from nemod.library.kind import MODELS, Kind
from nemod.library.library import Library
from nemod.library.names import is_name


class Added(NamedTuple):
    """The result of adding a file."""

    name: str
    path: Path
    is_new: bool
    """False if the same content was in the library already, under this name."""


def add(library: Library, source: Path, *, verify: Callable[[Path], object] | None = None) -> Added:
    """Copy a file into the user's folder, unless the library has the same content already.

    `verify` raises an error for a file that cannot be played; None reads it.

    Raises: ModelError, or CabinetError in a library of cabinets, when the file is none, or its name
        is taken or not allowed. LibraryError when it cannot be copied.
    """
    kind = library.kind
    refused = ModelError if kind is MODELS else CabinetError
    if source.suffix.lower() not in kind.suffixes:
        named = ", ".join(kind.suffixes)
        raise refused(str(source), f"a {kind.noun}'s file is named {named}")
    if is_hidden(source.name):
        raise refused(str(source), "a hidden file; the library ignores these")
    if not is_name(source.stem):
        raise refused(
            ascii(str(source)),
            f"not allowed as a {kind.noun}'s name: rename the file, without control characters "
            "and \\",
        )
    if verify is None:
        _read(source, kind)
    else:
        verify(source)
    same = content_hash(source)
    for entry in library.entries():
        if entry.facts.sha256 == same:
            return Added(entry.name, entry.path, False)
    target = kind.user_folder() / source.name
    if _stem(target) in _stems(target.parent, kind) or os.path.lexists(target):
        raise refused(
            str(source),
            f"another {kind.noun} is named {target.stem!r} in {target.parent}; rename one",
        )
    _copy(source, target)
    library.look()
    return Added(library.name_of(target), real(target), True)


def remove(library: Library, name: str) -> tuple[str, Path]:
    """Move a file out of the user's folder; return its name and its new path.

    Raises: NotFoundError when there is no such file, or it is not the user's own; LibraryError.
    """
    kind = library.kind
    known, path = library.find(name)
    own = real(kind.user_folder())
    if not path.is_relative_to(own):
        raise NotFoundError(
            f"{known!r} is {path}; only {kind.noun}s in your own folder, {own}, can be removed"
        )
    folder = kind.removed_folder()
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


def _read(source: Path, kind: Kind) -> None:
    """Read a file whole. Raises: ModelError, CabinetError."""
    if kind is MODELS:
        load_model(source)
        return
    from nemod.formats.impulse_response import load_impulse_response

    load_impulse_response(source)


def _stem(path: Path) -> str:
    return fold(path.stem)


def _stems(folder: Path, kind: Kind) -> set[str]:
    if not folder.is_dir():
        return set()
    files = [path for path in folder.iterdir() if path.suffix.lower() in kind.suffixes]
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
