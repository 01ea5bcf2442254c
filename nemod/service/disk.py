"""Where the unit lies, and how it is written and removed."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from nemod.common.errors import NemodError
from nemod.service.unit import HIDDEN, NAME, Kind, made_from


class ServiceError(NemodError):
    """The unit cannot be written, or would not run."""


def unit_path(kind: Kind, folder: Path | None = None) -> Path:
    """Return where the unit lies; `folder` stands for another one than systemd's."""
    if folder is None:
        if kind is Kind.SYSTEM:
            folder = Path("/etc/systemd/system")
        else:
            base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
            folder = Path(base) / "systemd" / "user"
    return folder / NAME


def found(path: Path) -> str | None:
    """Return a unit's text, None where there is none.

    Raises: ServiceError where it cannot be read, or somebody else wrote it.
    """
    if path.is_symlink():
        raise ServiceError(f"{path}: is a link to {path.readlink()}; remove it first")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror}") from None
    if made_from(text) is None:
        raise ServiceError(f"{path}: was not written by nemod; move it away first")
    return text


def write(path: Path, text: str) -> None:
    """Write a unit, whole or not at all. Raises: ServiceError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{NAME}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(opened.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except PermissionError as error:
        raise ServiceError(
            f"{path}: {error.strerror}; a service of the machine is installed by root (sudo)"
        ) from None
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror}") from None


def remove(path: Path) -> None:
    """Remove a unit. Raises: ServiceError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror}") from None


def check_readable(path: Path) -> None:
    """Make sure that a user without any group can read a path.

    Folders above one in a hidden place do not count: it is bound past them.
    Raises: ServiceError.
    """
    hidden = any(path.is_relative_to(at) for at in HIDDEN)
    for at in (path, *(() if hidden else path.parents)):
        try:
            mode = at.stat().st_mode
        except OSError as error:
            raise ServiceError(f"{at}: {error.strerror}") from None
        wanted = 0o001 if at != path else 0o005 if at.is_dir() else 0o004
        if mode & wanted != wanted:
            raise ServiceError(
                f"{at}: mode {mode & 0o777:03o} keeps the service's own user from reading "
                f"{path}; let others read it (chmod o+rX), or install a service of the user"
            )
