"""Kinds of files that have names: models, and the impulse responses of cabinets."""

from dataclasses import dataclass
from pathlib import Path

from nemod.common.paths import data_folder
from nemod.formats import dialects

# Listed here, so that a daemon that reads no sound file need not import what reads them.
CABINET_SUFFIXES = (".wav", ".flac", ".aiff", ".aif")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is different between the libraries."""

    noun: str
    """What one of them is called."""
    command: str
    """The word after `nemod` that lists them."""
    suffixes: tuple[str, ...]
    """Ends of the files' names, in small letters."""
    folder: str
    """Name of the folder that ships, and of the user's own."""
    removed: str
    """Name of the folder for what was removed."""
    index: str
    """Name of the file that holds the index."""

    def shipped_folder(self) -> Path:
        """Return the folder of those that ship with nemod."""
        package = Path(__file__).parents[1]
        inside = package / f"shipped_{self.folder}"
        return inside if inside.is_dir() else package.parent / self.folder

    def user_folder(self) -> Path:
        """Return the user's own folder; it need not exist. Raises: FolderError."""
        return data_folder() / self.folder

    def removed_folder(self) -> Path:
        """Return the folder for what was removed from the user's; it need not exist.

        Raises: FolderError.
        """
        return data_folder() / self.removed

    def index_file(self) -> Path:
        """Return the file of the user's index; it need not exist. Raises: FolderError."""
        return data_folder() / self.index


MODELS = Kind(
    noun="model",
    command="models",
    suffixes=dialects.SUFFIXES,
    folder="models",
    removed="removed",
    index="library.db",
)
CABINETS = Kind(
    noun="cabinet",
    command="cabs",
    suffixes=CABINET_SUFFIXES,
    folder="cabinets",
    removed="removed_cabinets",
    index="cabinets.db",
)
