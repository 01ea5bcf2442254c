"""The library: the models or cabinets that have names, and an index of what is known about each.

Names come from the folders alone, so a daemon starts without reading a model. What is known about
the files is kept in an SQLite file; a file is read again only when it has changed. No jax here.
"""

from nemod.library.entry import Entry, Facts, LibraryError
from nemod.library.folders import shipped_folder, user_folder
from nemod.library.index import Index
from nemod.library.kind import CABINETS, MODELS, Kind
from nemod.library.library import SCAN_LIMIT_S, Library
from nemod.library.scan import ScanReport

__all__ = [
    "CABINETS",
    "MODELS",
    "SCAN_LIMIT_S",
    "Entry",
    "Facts",
    "Index",
    "Kind",
    "Library",
    "LibraryError",
    "ScanReport",
    "shipped_folder",
    "user_folder",
]
