"""Saves a preset again and again, for a test that kills it: `python -m tests.parts.preset_saver`.

The argument is the folder. After each save its number, which is also the preset's name, is printed.
"""

import sys
from itertools import count
from pathlib import Path

from nemod.presets import MAX_SNAPSHOTS, Preset, PresetStore

NUMBER = 60


def version(number: int) -> Preset:
    """Return the preset that is saved; each has another content all over."""
    position = 1.0 / (1 + number)
    sound = {"gain": position, "mid": position, "delay/time": position}
    return Preset(
        name=str(number),
        positions=sound,
        snapshots=dict.fromkeys(range(1 + number % MAX_SNAPSHOTS), sound),
    )


def main(folder: Path) -> None:
    """Save without end, on from the version that is there."""
    store = PresetStore(folder)
    numbers = [entry.number for entry in store.entries()]
    first = int(store.get(NUMBER).name) + 1 if NUMBER in numbers else 0
    for number in count(first):
        store.save(NUMBER, version(number))
        print(number, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
