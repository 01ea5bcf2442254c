"""Presets: sounds that are kept in files, by number and name.

preset      what a preset holds
store       all presets, in memory
disk        the files of a folder
reader      the text of a file -> preset
writer      preset -> the text of a file
folders     where the files are
transfer    presets from elsewhere, and files for elsewhere
"""

from nemod.presets.folders import factory_folder, user_folder
from nemod.presets.preset import (
    MAX_PRESETS,
    MAX_SNAPSHOTS,
    Preset,
    PresetEntry,
    PresetError,
    name_problem,
)
from nemod.presets.store import PresetStore

__all__ = [
    "MAX_PRESETS",
    "MAX_SNAPSHOTS",
    "Preset",
    "PresetEntry",
    "PresetError",
    "PresetStore",
    "factory_folder",
    "name_problem",
    "user_folder",
]
