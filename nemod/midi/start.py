"""Starts the MIDI surface with all sources. Thread: control, inside a running event loop."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from nemod.common.background import in_background
from nemod.common.paths import FolderError, config_folder, data_folder
from nemod.common.timers import LoopTimers, Timers
from nemod.control.controller import Controller
from nemod.midi.sources.base import Receiver, Source, check_sequencer
from nemod.midi.sources.lazy import LazySource, always, has_keys, has_pins
from nemod.midi.store import BindingStore
from nemod.midi.surface import MidiSurface

FILE_NAME = "bindings.yaml"
HARDWARE = "pip install 'nemod[hardware]'"

log = structlog.get_logger("nemod")


async def start_midi(
    controller: Controller,
    path: Path | None,
    *,
    raw: Sequence[Path] = (),
    shut_down: Callable[[], None] | None = None,
) -> MidiSurface:
    """Use controllers with the bindings in a file; None is the user's own file.

    `raw`: files that MIDI bytes are read from, too. What cannot be opened is logged and tried
    again.
    """
    timers = LoopTimers(_guard)
    store = BindingStore(path or default_path())
    await in_background(store.load)
    surface = MidiSurface(controller, timers, store, shut_down=shut_down)
    surface.start(_sources(surface, timers, raw))
    return surface


def default_path() -> Path | None:
    """Return the user's file of bindings; None where there is no folder for it.

    A system service cannot write its configuration: there it is beside the presets.
    """
    try:
        folder = data_folder() if os.environ.get("STATE_DIRECTORY") else config_folder()
    except FolderError as error:
        log.warning("bindings not kept", reason=str(error))
        return None
    return folder / FILE_NAME


def _sources(receiver: Receiver, timers: Timers, raw: Sequence[Path]) -> list[Source]:
    def sequencer() -> Source:
        check_sequencer()
        from nemod.midi.sources.sequencer import Sequencer

        return Sequencer(receiver, timers)

    def keys() -> Source:
        from nemod.midi.sources.keys import Keys

        return Keys(receiver, timers)

    def pins() -> Source:
        from nemod.midi.sources.pins import Pins

        return Pins(receiver, timers)

    def file(path: Path) -> Source:
        from nemod.midi.sources.raw import RawMidi

        return RawMidi(path, receiver, timers)

    return [
        LazySource(
            "MIDI ports", sequencer, always, timers, "pip install alsa-midi", is_asked_for=False
        ),
        LazySource("input devices", keys, has_keys, timers, HARDWARE),
        LazySource("pins", pins, has_pins, timers, HARDWARE),
        *(file(path) for path in raw),
    ]


def _guard(work: Callable[[], None]) -> None:
    """Do work of a timer; an exception is logged and ends nothing else."""
    try:
        work()
    except Exception:
        log.exception("controllers: internal error")
