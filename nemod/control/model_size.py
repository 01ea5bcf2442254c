"""The size of models that have several: a change builds the current model again.

Thread: control.
"""

from collections.abc import Callable

from nemod.control.backends import Player
from nemod.control.events import EventStream, SizeChanged, Source
from nemod.control.jobs import Job

LARGEST = 1.0


class ModelSize:
    """The size that is wanted. One model is built at a time, with the newest size."""

    def __init__(
        self,
        player: Player,
        events: EventStream,
        *,
        newest_load: Callable[[], Job | None],
        load: Callable[[float, Source], Job],
    ) -> None:
        """`load` loads the current model with a size; `newest_load`: the newest load of any."""
        self._player = player
        self._events = events
        self._newest_load = newest_load
        self._load = load
        self._wanted: tuple[float, Source] | None = None

    @property
    def value(self) -> float:
        """0..1: the size that plays, or that will."""
        if self._wanted is not None:
            return self._wanted[0]
        return LARGEST if self._player.size is None else self._player.size

    def set(self, size: float, source: Source) -> float:
        """Want a size, clipped to 0..1; return it. It plays a moment later."""
        size = min(max(size, 0.0), 1.0)
        if size == self.value:
            return size
        is_waiting = self._wanted is not None
        self._wanted = size, source
        self._events.publish(SizeChanged(size, source))
        if not is_waiting:
            self._start()
        return size

    def _start(self) -> None:
        """Load the model, after the load that is under way."""
        newest = self._newest_load()
        if newest is not None and not newest.is_over:
            newest.when_over(lambda _job: self._start())
            return
        assert self._wanted is not None
        loading = self._wanted

        def over(_job: Job) -> None:
            if self._wanted != loading:
                self._start()
                return
            self._wanted = None
            self._events.publish(SizeChanged(self.value, loading[1]))

        self._load(*loading).when_over(over)
