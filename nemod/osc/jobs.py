"""Background jobs of OSC senders: who started which, who waits for them, how their end is sent."""

from collections.abc import Callable

from nemod.control.errors import Code, ControlError
from nemod.control.jobs import Job
from nemod.osc.encode import encode
from nemod.osc.errors import OscError, with_address
from nemod.osc.sender import Sender

MAX_WAITING_SYNCS = 64


class SenderJobs:
    """The jobs that were started over OSC and have not ended. Thread: control."""

    def __init__(self, fail: Callable[[OscError, Sender], None]) -> None:
        """`fail` sends an error."""
        self._fail = fail
        self._open: dict[int, Sender] = {}
        self._syncs: list[tuple[set[int], Sender, int]] = []

    def start(self, address: str, sender: Sender, start: Callable[[], Job]) -> None:
        """Start a job; its end, or that it cannot start, is sent to the sender, once."""
        try:
            job = start()
        except ControlError as error:
            self._fail(with_address(error, address), sender)
            return
        except Exception:
            text = "internal error, see the log"
            self._fail(with_address(ControlError(Code.IO, "", text), address), sender)
            raise
        self._open[job.id] = sender

        def over(job: Job) -> None:
            del self._open[job.id]
            if job.error is not None:
                self._fail(with_address(job.error, address), sender)
            else:
                sender.send(encode("/nemo/done", "ss", address, job.result or ""))
            self._settle(job.id)

        job.when_over(over)

    def has_open(self, sender: Sender) -> bool:
        """Return whether a job that this sender started is under way."""
        return any(owner is sender for owner in self._open.values())

    def sync(self, number: int, sender: Sender) -> None:
        """Answer when the jobs that this sender started have ended, as scsynth does.

        Raises: OscError `limit` where too many wait.
        """
        jobs = {job for job, owner in self._open.items() if owner is sender}
        if not jobs:
            sender.send(encode("/nemo/synced", "i", number))
        elif len(self._syncs) < MAX_WAITING_SYNCS:
            self._syncs.append((jobs, sender, number))
        else:
            raise OscError("limit", "/nemo/sync", f"{MAX_WAITING_SYNCS} are waiting already")

    def _settle(self, job: int) -> None:
        waiting = []
        for jobs, sender, number in self._syncs:
            jobs.discard(job)
            if jobs:
                waiting.append((jobs, sender, number))
            else:
                sender.send(encode("/nemo/synced", "i", number))
        self._syncs = waiting
