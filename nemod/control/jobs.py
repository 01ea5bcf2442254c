"""Background jobs: what takes longer than a message, such as loading a model. Thread: control."""

from collections.abc import Callable
from itertools import count

from nemod.control.errors import ControlError
from nemod.control.events import EventStream, JobDone, JobFailed, Source


class Job:
    """A job that was started. It ends exactly once, with a result or an error."""

    _ids = count(1)

    def __init__(self, kind: str, subject: str, source: Source, events: EventStream) -> None:
        """`kind`: `model` or `rescan`. `subject`: the name that it is about."""
        self.id = next(self._ids)
        self.kind = kind
        self.subject = subject
        """What is being worked on; changes where a job tries one model after another."""
        self.source = source
        self.result: str | None = None
        self.error: ControlError | None = None
        self._events = events
        self._callbacks: list[Callable[[Job], None]] = []

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return self.result is not None or self.error is not None

    def when_over(self, callback: Callable[["Job"], None]) -> None:
        """Call `callback(job)` when the job ends, or now if it has ended."""
        if self.is_over:
            callback(self)
        else:
            self._callbacks.append(callback)

    def finish(self, result: str) -> None:
        """End the job; a job that has ended already stays as it is."""
        if not self.is_over:
            self.result = result
            self._end(JobDone(self.id, self.kind, result, self.source))

    def fail(self, error: ControlError) -> None:
        """End the job with an error; a job that has ended already stays as it is."""
        if not self.is_over:
            self.error = error
            text = error.text + error.hint()
            self._end(JobFailed(self.id, self.kind, error.code, text, self.source))

    def _end(self, event: JobDone | JobFailed) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)
        self._events.publish(event)
