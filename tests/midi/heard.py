"""What a source delivers to, in the tests of sources."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from nemod.common.timers import LoopTimers
from nemod.midi.messages import Message, Port
from nemod.midi.sources.base import Send


class Heard:
    """Remembers what a source delivers."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.messages: list[tuple[Port, Message]] = []
        self.batches: list[int] = []
        self.sends: dict[Port, Send | None] = {}

    def connected(self, port: Port, send: Send | None) -> None:
        self.log.append(f"+ {port}")
        self.sends[port] = send

    def disconnected(self, port: Port) -> None:
        self.log.append(f"- {port}")

    def received(self, batch: Sequence[tuple[Port, Message]]) -> None:
        self.messages += batch
        self.batches.append(len(batch))

    async def until(self, is_there: Callable[[], bool]) -> None:
        for _ in range(500):
            if is_there():
                return
            await asyncio.sleep(0.002)
        raise AssertionError(f"{self.log} {self.messages[-3:]}")


TIMERS = LoopTimers(lambda work: work())


def run(work: Awaitable[None]) -> None:
    async def main() -> None:
        await work

    asyncio.run(main())
