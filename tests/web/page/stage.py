"""A served rig in a thread of its own, so that a browser can be driven beside it."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import TypeVar

from tests.osc.conftest import MemoryRig
from tests.web.rig import ServedRig, serve_rig

T = TypeVar("T")


class Stage:
    """Both servers over a control core in memory; can be stopped and started again."""

    def __init__(self) -> None:
        self.served: ServedRig
        self.port = 0
        self._open: AsyncExitStack
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stage")
        self._thread.start()

    @property
    def rig(self) -> MemoryRig:
        return self.served.rig

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self, rig: MemoryRig | None = None, *, knobs: Sequence[str] = ()) -> None:
        """Serve a rig, on the same port as the last one."""

        async def start() -> None:
            self._open = AsyncExitStack()
            serving = serve_rig(rig=rig, knobs=knobs, port=self.port)
            self.served = await self._open.enter_async_context(serving)
            self.port = self.served.web.port

        self._run(start())

    def stop(self) -> None:
        self._run(self._open.aclose())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()

    def call(self, work: Callable[[], T]) -> T:
        """Return what `work` returns on the control thread."""

        async def run() -> T:
            return work()

        return self._run(run())

    def position(self, path: str) -> float:
        return self.call(lambda: self.rig.controller.position(path))

    def until(self, condition: Callable[[], object], timeout_s: float = 5.0) -> None:
        """Wait until a condition holds on the control thread."""
        end = time.monotonic() + timeout_s
        while not self.call(condition):
            assert time.monotonic() < end, "the condition does not come true"
            time.sleep(0.01)

    def _run(self, work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10.0)
