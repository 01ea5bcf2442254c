"""Atomic file replacement and bounded reading of text files."""

import codecs
import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_DRAFT_SUFFIX = ".tmp"
_STALE_S = 24.0 * 3600.0
"""[s] Older drafts are left over from a power cut or a killed process."""
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TooLargeError(ValueError):
    """A file with more bytes than its reader accepts."""


@contextmanager
def replacing(
    path: Path, *, mode: int | None = None, only_if_absent: bool = False
) -> Iterator[Path]:
    """Yield the path of an empty draft, which replaces `path` atomically when the body ends.

    The draft is in the same folder, and every use has a draft of its own. File and folder are
    flushed to the disk, so after an error or a power cut `path` is either the old file or the
    complete new one. An exception in the body removes the draft. A symbolic link at `path` is
    replaced, not followed.

    `mode`: permissions of the file; None applies the umask to 0666. `only_if_absent`: never
    overwrite; Raises: FileExistsError where `path` exists when the body ends.

    Raises: OSError.
    """
    _remove_stale_drafts(path)
    draft = path.with_name(f".{_stem(path)}.{secrets.token_hex(4)}{_DRAFT_SUFFIX}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    os.close(os.open(draft, flags, 0o666 if mode is None else mode))
    try:
        yield draft
        if mode is not None:
            draft.chmod(mode)  # whatever the umask, or a copy of another file, made of it
        _flush_file(draft)
        if only_if_absent:
            _move_if_absent(draft, path)
        else:
            draft.replace(path)
        flush_folder(path.parent)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _stem(path: Path) -> str:
    """Return the beginning of a draft's name; a name may have 255 bytes, the draft's too."""
    return os.fsdecode(os.fsencode(path.name)[:200])


def _remove_stale_drafts(path: Path) -> None:
    begin = f".{_stem(path)}."
    with suppress(OSError):
        names = [name for name in os.listdir(path.parent) if name.startswith(begin)]
        for name in names:
            token = name.removeprefix(begin).removesuffix(_DRAFT_SUFFIX)
            is_draft = name.endswith(_DRAFT_SUFFIX) and len(token) == 8 and token.isalnum()
            draft = path.with_name(name)
            if is_draft and time.time() - draft.lstat().st_mtime > _STALE_S:
                draft.unlink()


def _flush_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename in it survives a power cut. Raises: OSError."""
    if os.name != "posix":
        return  # folders cannot be opened there
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        # Some file systems (FUSE, network shares) cannot do this; the file is in place.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(fd)


def _move_if_absent(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, as on most USB sticks
        with path.open("xb"):
            draft.replace(path)


def read_text(path: Path, limit: int) -> str:
    """Return the text of a file of at most `limit` bytes: UTF-8, or UTF-16 with a byte order mark.

    A byte order mark is not part of the text.

    Raises: OSError, TooLargeError; UnicodeDecodeError for what is not text.
    """
    with path.open("rb") as file:  # a pipe has no size, so it is read up to the limit
        data = file.read(limit + 1)
    if len(data) > limit:
        raise TooLargeError(f"larger than {limit} bytes")
    return data.decode("utf-16" if data.startswith(_UTF16_MARKS) else "utf-8-sig")
