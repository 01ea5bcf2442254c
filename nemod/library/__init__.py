"""The library: the models that have names, and an index of what is known about each.

Names come from the folders alone, so a daemon starts without reading a model. What is known about
the files is kept in an SQLite file; a file is read again only when it has changed. No jax here.
"""

from nemod.library.entry import Entry, Facts, LibraryError
from nemod.library.folders import shipped_folder, user_folder
from nemod.library.index import Index
from nemod.library.library import SCAN_LIMIT_S, Library
from nemod.library.scan import ScanReport

__all__ = [
    "SCAN_LIMIT_S",
    "Entry",
    "Facts",
    "Index",
    "Library",
    "LibraryError",
    "ScanReport",
    "shipped_folder",
    "user_folder",
]
