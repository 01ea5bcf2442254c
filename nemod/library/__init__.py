"""The library: the models that can be named, and an index of what is known of each.

Names come from the folders alone, so a daemon starts without reading a model; what is known of
the files is kept in an SQLite file and read again only where a file has changed. Never imports jax.
"""

from nemod.library.entry import Entry, Facts, LibraryError
from nemod.library.folders import SUFFIXES, shipped_folder, user_folder
from nemod.library.index import Index
from nemod.library.library import SCAN_LIMIT_S, Library
from nemod.library.scan import Report

__all__ = [
    "SCAN_LIMIT_S",
    "SUFFIXES",
    "Entry",
    "Facts",
    "Index",
    "Library",
    "LibraryError",
    "Report",
    "shipped_folder",
    "user_folder",
]
