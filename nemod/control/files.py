"""Files that clients send and get: models and cabinets into the user's folders, presets both ways.

Thread: control. What a file holds is checked on other threads and in other processes.
"""

import asyncio
from collections.abc import Callable
from pathlib import PurePath

from nemod.common.background import in_background
from nemod.common.errors import CabinetError, ModelError, NemodError, QuotaError
from nemod.common.kept_files import DamagedFileError, decoded
from nemod.control.backends import UserFiles
from nemod.control.disk_jobs import DiskJobs
from nemod.control.errors import Code, ControlError
from nemod.control.events import EventStream, LibraryChanged, Source
from nemod.control.jobs import Job
from nemod.control.presets import Presets
from nemod.formats.readers.json_file import MAX_BYTES as MAX_MODEL_BYTES
from nemod.presets.preset import MAX_BYTES as MAX_PRESET_BYTES
from nemod.presets.preset import Preset, PresetError
from nemod.presets.transfer import file_name, imported
from nemod.presets.writer import to_text

ADD_JOB = "file"
MAX_CABINET_BYTES = 32 * 2**20
"""[bytes] As what reads them; that need not be imported here."""
__all__ = ["MAX_CABINET_BYTES", "MAX_MODEL_BYTES", "MAX_PRESET_BYTES", "Files"]


class Files:
    """Takes files from clients, and gives them presets."""

    def __init__(
        self,
        events: EventStream,
        presets: Presets,
        models: UserFiles | None,
        cabinets: UserFiles | None,
        count_models: Callable[[], int],
    ) -> None:
        """`models`, `cabinets` None: there is no folder to keep them in."""
        self._events = events
        self._presets = presets
        self._models = models
        self._cabinets = cabinets
        self._count_models = count_models
        self._disk = DiskJobs()

    def add_model(self, name: str, content: bytes, source: Source) -> Job:
        """Start to add a file to the user's models; the job ends with the model's name.

        `name` is the file's. A model that the library has already is not added again, its name is
        the result. Errors: `value` for what is no model or has no usable name, `limit` for too
        much, `io`.

        Raises: ControlError `denied` where there is no folder, `limit` where too many files wait.
        """
        return self._add(self._models, "models", name, content, source)

    def add_cabinet(self, name: str, content: bytes, source: Source) -> Job:
        """Start to add a file to the user's cabinets; otherwise as `add_model`."""
        return self._add(self._cabinets, "cabinets", name, content, source)

    def _add(
        self, folder: UserFiles | None, what: str, name: str, content: bytes, source: Source
    ) -> Job:
        if folder is None:
            raise ControlError(Code.DENIED, name[:120], f"there is no folder to keep {what} in")
        job = Job(ADD_JOB, name[:120], source, self._events)
        added: list[str] = []

        def work() -> None:
            try:
                added.append(folder.add(name, content))
            except (ModelError, CabinetError) as error:
                raise ControlError(Code.VALUE, name[:120], error.reason) from None
            except QuotaError as error:
                raise ControlError(Code.LIMIT, name[:120], str(error)) from None

        def done() -> None:
            job.subject = added[0]
            self._events.publish(LibraryChanged(self._count_models()))

        return self._disk.start(job, work, done)

    def add_preset(self, name: str, content: bytes, source: Source) -> Job:
        """Start to add a preset from a file, at the first free number; the sound stays.

        The job ends with the preset's name. Errors: `value` for what is no preset, `limit`, `io`.
        """
        job = Job(ADD_JOB, name[:120], source, self._events)
        reading = in_background(lambda: _read(name, content))

        def read(task: "asyncio.Future[Preset]") -> None:
            fault = task.exception()
            if fault is not None:
                code = Code.VALUE if isinstance(fault, NemodError) else Code.IO
                job.fail(ControlError(code, name[:120], str(fault)))
                return
            try:
                kept = self._presets.add(task.result(), source)
            except ControlError as refused:
                job.fail(refused)
            else:
                kept.when_over(lambda kept: _pass_on(kept, job))

        reading.add_done_callback(read)
        return job

    def preset(self, number: int) -> tuple[str, str]:
        """Return a preset as a file: its name and its text. Raises: ControlError `not_found`."""
        preset = self._presets.list.get(number)
        return file_name(number, preset.name), to_text(preset)


def _read(name: str, content: bytes) -> Preset:
    """Return the preset in a file from elsewhere. Raises: PresetError."""
    try:
        text = decoded(content[: MAX_PRESET_BYTES + 1])
    except DamagedFileError as error:
        raise PresetError(str(error)) from None
    return imported(text, name[:120], PurePath(name).stem)


def _pass_on(ended: Job, job: Job) -> None:
    """End a job as another one ended."""
    if ended.error is not None:
        job.fail(ended.error)
    else:
        job.finish(ended.result or "")
