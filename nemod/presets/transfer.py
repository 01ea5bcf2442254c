"""Presets from elsewhere, and names of files for presets that go elsewhere."""

from nemod.common.kept_files import DamagedFileError
from nemod.presets.preset import MAX_NAME, Preset, PresetError
from nemod.presets.reader import parse

SUFFIX = ".yaml"
_UNNAMED = "Preset"
_SAFE = frozenset("-_.+")
"""Characters of a file's name, besides letters and digits."""

_MAX_FILE_NAME = 200
"""[bytes] Most file systems allow 255, that of a draft beside the file included."""


def imported(text: str, source: str, stem: str = "") -> Preset:
    """Return the preset in a text from elsewhere.

    `source` is what errors name. A preset without a valid name gets one from `stem`, the name of
    its file.

    Raises: PresetError for anything but plain YAML without aliases and tags, for a text that is
    too long, and for a file that is named by a path.
    """
    try:
        preset = parse(text, _name(stem), source)
    except DamagedFileError as error:
        raise PresetError(f"{source}: {error}") from None
    for slot, file in preset.chain.files.items():
        if "/" in file or "\\" in file:
            raise PresetError(
                f"{source}: slot {slot!r}: file {file[:MAX_NAME]!r}: the name of a file in the "
                "library is expected, not a path"
            )
    return preset


def file_name(number: int, name: str) -> str:
    """Return a name for a preset's file: `003-Fuzz-Lead.yaml`, without separators of paths."""
    safe = "".join(sign if sign.isalnum() or sign in _SAFE else "-" for sign in name)
    cut = safe.encode()[:_MAX_FILE_NAME].decode(errors="ignore")
    return f"{number:03d}-{cut}{SUFFIX}"


def _name(stem: str) -> str:
    """Return a valid name that resembles that of a file."""
    line = "".join(sign if sign.isprintable() else " " for sign in stem)
    return line.strip()[:MAX_NAME].strip() or _UNNAMED
