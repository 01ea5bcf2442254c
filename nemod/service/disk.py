"""The unit file on disk: where it is, how it is written, read and removed."""

from pathlib import Path

from nemod.common.errors import NemodError
from nemod.common.files import replacing
from nemod.common.paths import user_units_folder
from nemod.service.unit import HIDDEN, NAME, ServiceKind, made_from


class ServiceError(NemodError):
    """A unit that cannot be written, or would not run."""


def unit_path(kind: ServiceKind, folder: Path | None = None) -> Path:
    """Return where the unit is: in `folder`, or where systemd looks for it.

    Raises: FolderError for a user without a home folder.
    """
    if folder is None:
        folder = Path("/etc/systemd/system") if kind is ServiceKind.SYSTEM else user_units_folder()
    return folder / NAME


def read(path: Path) -> str | None:
    """Return a unit's text, None where there is none.

    Raises: ServiceError where it cannot be read, or was not written by nemod.
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
    """Write a unit atomically. Raises: ServiceError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, mode=0o644) as draft:
            draft.write_text(text, encoding="utf-8", errors="surrogateescape")
    except PermissionError as error:
        raise ServiceError(
            f"{path}: {error.strerror}; a system service is installed by root (sudo)"
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
    """Check that a user without any group can read a path.

    The folders above it count only where it is not bind-mounted from a hidden place.

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
                f"{path}; let others read it (chmod o+rX), or install a user service"
            )
