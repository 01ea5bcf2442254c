"""Folders of the user, by the rules of XDG and systemd."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nemod.common.errors import NemodError
from nemod.common.paths import (
    FolderError,
    absolute,
    cache_folder,
    config_folder,
    data_folder,
    home,
    state_folder,
    user_units_folder,
)

Folder = Callable[[], Path]
FOLDERS = [
    (config_folder, "XDG_CONFIG_HOME", ".config/nemod", "nemod"),
    (state_folder, "XDG_STATE_HOME", ".local/state/nemod", "nemod"),
    (data_folder, "XDG_DATA_HOME", ".local/share/nemod", "nemod"),
    (cache_folder, "XDG_CACHE_HOME", ".cache/nemod", "nemod"),
    (user_units_folder, "XDG_CONFIG_HOME", ".config/systemd/user", "systemd/user"),
]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set but HOME."""
    for name in ("CONFIG", "STATE", "DATA", "CACHE"):
        monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
    for name in ("CONFIGURATION", "STATE", "CACHE"):
        monkeypatch.delenv(f"{name}_DIRECTORY", raising=False)
    monkeypatch.setenv("HOME", "/home/jimi")


@pytest.mark.parametrize(("folder", "variable", "below_home", "below_variable"), FOLDERS)
def test_each_folder_is_where_the_specification_says(
    monkeypatch: pytest.MonkeyPatch,
    folder: Folder,
    variable: str,
    below_home: str,
    below_variable: str,
) -> None:
    """In the home, or where the variable says; a relative variable is ignored."""
    assert folder() == Path("/home/jimi") / below_home
    monkeypatch.setenv(variable, "relative")
    assert folder() == Path("/home/jimi") / below_home
    monkeypatch.setenv(variable, "/srv")
    assert folder() == Path("/srv") / below_variable


@pytest.mark.parametrize(
    ("folder", "variable"),
    [
        (config_folder, "CONFIGURATION_DIRECTORY"),
        (state_folder, "STATE_DIRECTORY"),
        (cache_folder, "CACHE_DIRECTORY"),
    ],
)
def test_the_folders_of_a_service_come_first(
    monkeypatch: pytest.MonkeyPatch, folder: Folder, variable: str
) -> None:
    """The first of several, which systemd separates by colons."""
    monkeypatch.setenv("XDG_STATE_HOME", "/srv")
    monkeypatch.setenv(variable, "/var/lib/nemod:/var/lib/other")
    assert folder() == Path("/var/lib/nemod")


@pytest.mark.parametrize("given", [None, "", "relative"])
def test_without_home_the_password_database_is_asked(
    monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    """As by every other program; an empty or relative HOME counts for nothing."""
    import pwd

    if given is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", given)
    assert home() == Path(pwd.getpwuid(os.getuid()).pw_dir)


def test_without_any_home_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error for the user."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    problem = (
        f"HOME is not set, and user {os.getuid()} has no home folder; set HOME or XDG_STATE_HOME"
    )
    with pytest.raises(FolderError, match=problem):
        state_folder()
    assert issubclass(FolderError, NemodError)
    monkeypatch.setenv("XDG_STATE_HOME", "/srv")
    assert state_folder() == Path("/srv/nemod")


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a folder or the current one; links stay."""
    monkeypatch.chdir(tmp_path)
    assert absolute("a/b") == tmp_path / "a/b"
    assert absolute("a", Path("/srv")) == Path("/srv/a")
    assert absolute("/a", Path("/srv")) == Path("/a")
    assert absolute("~/a", Path("/srv")) == Path("/home/jimi/a")
    assert absolute("~") == Path("/home/jimi")
    with pytest.raises(
        FolderError, match="~nobody-has-this-name is the home folder of a user that"
    ):
        absolute("~nobody-has-this-name/x")
    (tmp_path / "link").symlink_to("/srv")
    assert absolute("link/a") == tmp_path / "link/a"
