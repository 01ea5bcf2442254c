"""The size of models that have several: a change builds the rig again.

Thread: control.
"""

from nemod.control.events import EventStream, SizeChanged, Source
from nemod.control.jobs import Job
from nemod.control.rig_jobs import RigJobs
from nemod.control.slot_files import SlotFiles

LARGEST = 1.0


class ModelSize:
    """The size that is wanted in a slot. One rig is built at a time, with the newest size."""

    def __init__(self, models: SlotFiles, jobs: RigJobs, events: EventStream) -> None:
        """`models`: those of the slot."""
        self._models = models
        self._jobs = jobs
        self._events = events
        self._wanted: tuple[float, Source] | None = None

    @property
    def value(self) -> float:
        """0..1: the size that plays, or that will."""
        if self._wanted is not None:
            return self._wanted[0]
        slot = self._models.slot
        size = None if slot is None else self._jobs.chain[slot].size
        return LARGEST if size is None else size

    @property
    def is_waiting(self) -> bool:
        """Whether the size that is wanted does not play yet."""
        return self._wanted is not None

    def set(self, size: float, source: Source) -> float:
        """Want a size, clipped to 0..1; return it. It plays a moment later."""
        size = min(max(size, 0.0), 1.0)
        slot = self._models.slot
        if size == self.value or slot is None:
            return size
        is_waiting = self.is_waiting
        self._wanted = size, source
        self._events.publish(SizeChanged(size, source, slot))
        if not is_waiting:
            self._start()
        return size

    def _start(self) -> None:
        """Load the model, after the load that is under way."""
        newest = self._jobs.newest
        if newest is not None and not newest.is_over:
            newest.when_over(lambda _job: self._start())
            return
        assert self._wanted is not None
        loading, slot = self._wanted, self._models.slot
        if slot is None:  # removed meanwhile
            self._wanted = None
            return

        def over(_job: Job) -> None:
            if self._wanted != loading:
                self._start()
                return
            self._wanted = None
            self._events.publish(SizeChanged(self.value, loading[1], slot))

        self._models.load_size(*loading).when_over(over)


class ModelSizes:
    """The sizes of all model slots."""

    def __init__(self, models: SlotFiles, jobs: RigJobs, events: EventStream) -> None:
        self._models = models
        self._jobs = jobs
        self._events = events
        self._by_slot: dict[str, ModelSize] = {}

    def of(self, slot: str = "") -> ModelSize:
        """Return the size of a slot's model; of the first one without a name."""
        name = slot or self._models.slot or ""
        if name not in self._by_slot:
            self._by_slot = {at: size for at, size in self._by_slot.items() if size.is_waiting}
            self._by_slot[name] = ModelSize(self._models.of(name), self._jobs, self._events)
        return self._by_slot[name]
