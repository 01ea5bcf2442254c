"""Background jobs of OSC senders: who started which, who waits for them, how their end is sent."""

from collections.abc import Callable

from nemod.control.errors import Code, ControlError
from nemod.control.jobs import Job
from nemod.osc.answers import Answers
from nemod.osc.encode import encode
from nemod.osc.errors import OscError, with_address
from nemod.osc.sender import Sender

MAX_WAITING_SYNCS = 64


class SenderJobs:
    """The jobs that were started over OSC and have not ended. Thread: control."""

    def __init__(self) -> None:
        self._open: dict[int, Sender] = {}
        self._syncs: list[tuple[set[int], Answers, int]] = []

    @property
    def count(self) -> int:
        """How many jobs run."""
        return len(self._open)

    def start(self, address: str, answers: Answers, start: Callable[[], Job]) -> None:
        """Start a job; its end is sent to the sender, once.

        Raises: OscError where it cannot start.
        """
        try:
            job = start()
        except ControlError as error:
            raise with_address(error, address) from None
        except Exception:
            answers.fail(OscError(Code.IO, address, "internal error, see the log"))
            raise
        self._open[job.id] = answers.sender

        def over(job: Job) -> None:
            del self._open[job.id]
            if job.error is not None:
                answers.fail_later(with_address(job.error, address))
            else:
                done = encode("/nemo/done", "ss", address, job.result or "")
                answers.send_later(address, done)
            self._settle(job.id)

        job.when_over(over)

    def has_open(self, sender: Sender) -> bool:
        """Return whether a job that this sender started is under way."""
        return any(owner is sender for owner in self._open.values())

    def sync(self, number: int, answers: Answers) -> bool:
        """Return whether no jobs run that this sender started; if some do, answer at their end.

        Raises: OscError `limit` where too many wait.
        """
        jobs = {job for job, owner in self._open.items() if owner is answers.sender}
        if not jobs:
            return True
        if len(self._syncs) >= MAX_WAITING_SYNCS:
            raise OscError("limit", "/nemo/sync", f"{MAX_WAITING_SYNCS} are waiting already")
        self._syncs.append((jobs, answers, number))
        return False

    def _settle(self, job: int) -> None:
        waiting = []
        for jobs, answers, number in self._syncs:
            jobs.discard(job)
            if jobs:
                waiting.append((jobs, answers, number))
            else:
                answers.send_later("/nemo/sync", encode("/nemo/synced", "i", number))
        self._syncs = waiting
