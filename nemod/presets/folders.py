"""The folders of presets."""

from pathlib import Path

from nemod.common.paths import data_folder


def user_folder() -> Path:
    """Return the user's own folder of presets; it need not exist. Raises: FolderError."""
    return data_folder() / "presets"


def factory_folder() -> Path:
    """Return the folder of the presets that ship with nemod."""
    return Path(__file__).parent / "factory"
