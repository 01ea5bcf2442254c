"""Slow work: what was begun for whom, who waits for it, and how its end is told."""

from collections.abc import Callable

from nemod.common.errors import OscError
from nemod.osc.encode import encode
from nemod.osc.host import Answer, Host
from nemod.osc.sender import Sender

MAX_WAITING_SYNCS = 64


class SlowWork:
    """Keeps account of slow work. Thread: control."""

    def __init__(self, host: Host, fail: Callable[[OscError, Sender], None]) -> None:
        """`fail` sends an error."""
        self._host = host
        self._fail = fail
        self._wanted_model = ""
        self._loads = 0
        self._jobs = 0
        self._open_jobs: dict[int, Sender] = {}
        self._syncs: list[tuple[set[int], Sender, int]] = []

    def begin(self, address: str, sender: Sender, work: Callable[[Answer], None]) -> None:
        """Begin slow work: when it ends, or cannot even begin, the sender is told, once."""
        self._jobs += 1
        job = self._jobs
        self._open_jobs[job] = sender

        def answer(result: str | OscError) -> None:
            if job not in self._open_jobs:
                return
            del self._open_jobs[job]
            if isinstance(result, OscError):
                self._fail(result, sender)
            else:
                sender.send(encode("/nemo/done", "ss", address, result))
            self._settle(job)

        try:
            work(answer)
        except OscError as error:
            answer(error)
        except Exception:
            answer(OscError("io", address, "this failed inside, the log says why"))
            raise

    def load(self, address: str, name: str, sender: Sender) -> None:
        """Have the host load a model, and remember that it was the last one asked for."""
        self._loads += 1
        number = self._loads

        def work(answer: Answer) -> None:
            def settled(result: str | OscError) -> None:
                self._forget_wanted(number)
                answer(result)

            try:
                self._host.load_model(name, settled)
            except Exception:
                self._forget_wanted(number)
                raise

        self._wanted_model = name
        self.begin(address, sender, work)

    def _forget_wanted(self, load_number: int) -> None:
        if load_number == self._loads:
            self._wanted_model = ""

    def wanted_model(self) -> str:
        """Return the model asked for last, or the one that plays if nothing is under way."""
        return self._wanted_model or self._host.model_name

    def sync(self, number: int, sender: Sender) -> None:
        """Answer when the slow work that this sender began has ended, as scsynth does.

        Raises: OscError `limit` where too many wait.
        """
        jobs = {job for job, owner in self._open_jobs.items() if owner is sender}
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
