"""Searches the files of presets by their hashes: one search at a time. Thread: control."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from nemod.common.background import in_background
from nemod.control.errors import Code, ControlError
from nemod.control.jobs import Job
from nemod.control.preset_files import FoundFiles, PresetFiles
from nemod.presets.preset import Preset


class _Request(NamedTuple):
    preset: Preset
    job: Job
    is_newest: Callable[[], bool]
    done: Callable[[FoundFiles], None]


class PresetSearch:
    """Finds out which files have the hashes of a preset; of several requests the newest waits."""

    def __init__(self, files: PresetFiles) -> None:
        self._files = files
        self._waiting: _Request | None = None
        self._is_searching = False

    def start(
        self,
        preset: Preset,
        job: Job,
        is_newest: Callable[[], bool],
        done: Callable[[FoundFiles], None],
    ) -> None:
        """Call `done` with the files of a preset, which are read on a thread.

        The job fails where a newer request waits meanwhile, or `is_newest()` is false at the end.
        """
        older, self._waiting = self._waiting, _Request(preset, job, is_newest, done)
        if older is not None:
            older.job.fail(_superseded(older.preset))
        if not self._is_searching:
            self._search_next()

    def _search_next(self) -> None:
        if self._waiting is None:
            return
        request, self._waiting, self._is_searching = self._waiting, None, True

        def resolved(search: "asyncio.Future[FoundFiles]") -> None:
            self._is_searching = False
            self._search_next()
            preset, job = request.preset, request.job
            if not request.is_newest():
                job.fail(_superseded(preset))
            elif search.cancelled() or search.exception() is not None:
                job.fail(ControlError(Code.IO, preset.name, str(search.exception())))
            else:
                request.done(search.result())

        in_background(lambda: self._files.resolved(request.preset)).add_done_callback(resolved)


def _superseded(preset: Preset) -> ControlError:
    return ControlError(Code.BUSY, preset.name, "superseded by a newer request")
