"""Jobs that write to the disk: one after the other, in the order of the requests."""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from nemod.common.background import in_background
from nemod.common.errors import NemodError
from nemod.control.errors import Code, ControlError
from nemod.control.jobs import Job

MAX_WAITING = 16

log = structlog.get_logger("nemod")


class DiskJobs:
    """Runs the work of jobs on a thread. Thread: control, with a running event loop."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Job, Callable[[], None], Callable[[], None]]] = deque()
        self._is_running = False

    def start(self, job: Job, work: Callable[[], None], done: Callable[[], None]) -> Job:
        """Run `work` on a thread, then `done` here, then end the job with its subject as result.

        Raises: ControlError `limit` where too many wait.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise ControlError(Code.LIMIT, job.subject, f"{MAX_WAITING} writes wait for the disk")
        self._waiting.append((job, work, done))
        if not self._is_running:
            self._run_next()
        return job

    def _run_next(self) -> None:
        job, work, done = self._waiting.popleft()
        self._is_running = True

        def over(task: "asyncio.Future[None]") -> None:
            self._is_running = False
            error = None if task.cancelled() else task.exception()
            try:
                if error is None:
                    done()
                    job.finish(job.subject)
            except Exception as fault:
                error = fault
            if error is not None:
                job.fail(_as_control_error(error, job.subject))
            if self._waiting:
                self._run_next()

        in_background(work).add_done_callback(over)


def _as_control_error(error: BaseException, subject: str) -> ControlError:
    if isinstance(error, ControlError):
        return error
    if isinstance(error, KeyError):
        return ControlError(Code.NOT_FOUND, subject, "it was deleted meanwhile")
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return ControlError(Code.IO, subject, f"not written: {where}{error.strerror or error}")
    if not isinstance(error, NemodError):
        log.error("disk job failed", subject=subject, exc_info=error)
    return ControlError(Code.IO, subject, str(error))
