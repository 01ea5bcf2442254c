"""Folders of the user: XDG's (freedesktop.org Base Directory Specification) and systemd's.

systemd gives a service folders of its own in `$STATE_DIRECTORY` and the like; they come first.
"""

import os
from pathlib import Path

from nemod.common.errors import NemodError

_NAME = "nemod"


class FolderError(NemodError):
    """A folder of the user that cannot be determined."""


def config_folder() -> Path:
    """Return nemod's folder of configuration, which need not exist. Raises: FolderError."""
    return _folder("CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME", ".config")


def state_folder() -> Path:
    """Return the folder of what survives a restart; it need not exist. Raises: FolderError."""
    return _folder("STATE_DIRECTORY", "XDG_STATE_HOME", ".local/state")


def cache_folder() -> Path:
    """Return the folder of what can be made again; it need not exist. Raises: FolderError."""
    return _folder("CACHE_DIRECTORY", "XDG_CACHE_HOME", ".cache")


def data_folder() -> Path:
    """Return the folder of the user's own models; it need not exist. Raises: FolderError."""
    return _folder("", "XDG_DATA_HOME", ".local/share")


def user_units_folder() -> Path:
    """Return where systemd looks for the user's units. Raises: FolderError."""
    return _base("XDG_CONFIG_HOME", ".config") / "systemd" / "user"


def home() -> Path:
    """Return the user's home folder: `$HOME`, or that of the password database.

    Raises: FolderError where there is neither.
    """
    given = os.environ.get("HOME", "")
    if os.path.isabs(given):
        return Path(given)
    if os.name != "posix":
        return Path.home()
    import pwd

    try:
        listed = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        listed = ""
    if not os.path.isabs(listed):
        raise FolderError(f"HOME is not set, and user {os.getuid()} has no home folder")
    return Path(listed)


def absolute(text: str, folder: Path | None = None) -> Path:
    """Return a path as an absolute one; `~` is expanded, a relative one is inside `folder`.

    `folder` None is the current folder. Symbolic links stay as they are.

    Raises: FolderError for the home of an unknown user, or a current folder that was deleted.
    """
    if text == "~" or text.startswith("~/"):
        path = home() / text[2:]
    else:
        try:
            path = Path(text).expanduser()
        except RuntimeError:
            name = text.partition("/")[0]
            raise FolderError(f"{name} is the home folder of a user that does not exist") from None
    if path.is_absolute():
        return path
    return (folder or current_folder()) / path


def current_folder() -> Path:
    """Return the current folder. Raises: FolderError where it was deleted."""
    try:
        return Path.cwd()
    except OSError as error:
        raise FolderError(
            f"the current folder cannot be determined ({error.strerror}); change to another one"
        ) from None


def _folder(systemd_variable: str, xdg_variable: str, below_home: str) -> Path:
    # systemd separates several folders by colons; ours is the first.
    given = os.environ.get(systemd_variable, "").partition(":")[0]
    if os.path.isabs(given):
        return Path(given)
    return _base(xdg_variable, below_home) / _NAME


def _base(xdg_variable: str, below_home: str) -> Path:
    given = os.environ.get(xdg_variable, "")
    if os.path.isabs(given):  # the specification says: relative ones are to be ignored
        return Path(given)
    try:
        return home() / below_home
    except FolderError as error:
        raise FolderError(f"{error}; set HOME or {xdg_variable}") from None
