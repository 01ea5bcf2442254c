"""Which model and cabinet the next start is to load."""

from pathlib import Path

from nemod.control.backends import NO_CABINET
from nemod.daemon.model_switcher import ModelSwitcher


def session_model(switcher: ModelSwitcher, saved: tuple[str, str]) -> tuple[str, str]:
    """Return name and file of the model that the next start is to load; empty for none.

    `saved`: those of the previous session. They are kept while a substitute plays that nobody
    requested: a model that is missing today, as one on a USB stick, may be there the next time.
    """
    current = switcher.current
    is_substitute = bool(saved[0]) and not switcher.was_requested and not switcher.quarantined
    if current is None or is_substitute:
        return saved
    path: Path | None = current.model.path
    return (current.name, str(path)) if path is not None else ("", "")


def session_cabinet(switcher: ModelSwitcher, saved: tuple[str, str]) -> tuple[str, str]:
    """Return name and file of the cabinet that the next start is to load; empty for none.

    `saved`: those of the previous session. They, or what a client has requested since, are kept
    while the daemon has to play without a cabinet; only a client's request removes it.
    """
    current = switcher.current
    cabinet = current.cabinet if current is not None else NO_CABINET
    if cabinet.path is None:
        wanted = switcher.wanted_cabinet
        if wanted is None:
            return saved
        return (wanted.name, str(wanted.path)) if wanted.path is not None else ("", "")
    return cabinet.name, str(cabinet.path)
